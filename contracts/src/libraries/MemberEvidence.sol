// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IReleases, MeasuredKind } from "../interfaces/IReleases.sol";
import { AttestationKey } from "./AttestationKey.sol";
import { Domain } from "./Domain.sol";
import { Judgement } from "./Judgement.sol";
import { Quote, TpmQuote } from "./TpmQuote.sol";

/// @notice One entry of the event log.
struct MeasuredEvent {
    MeasuredKind kind;
    bytes32 digest;
}

/// @notice What a member shows of itself.
struct MemberEvidence {
    Quote quote;
    MeasuredEvent[] eventLog;
    /// @dev The checkpoint that the quote names.
    uint64 checkpoint;
    bytes32 blockId;
    bytes32 operationalKey;
}

/// @notice What evidence is worth.
enum Worth {
    /// Anybody could have made it: it says nothing about the member.
    Nothing,
    /// The member's chip says that it runs something else.
    Bad,
    Good
}

using MemberEvidences for MemberEvidence global;

/// @title Evidence of members
/// @notice Specification §3.3, §3.6 and §20.6, as far as a chain can judge it: quote, registers, event log, releases. Continuity (§3.7) needs
/// what came before, and is judged on our own chain.
library MemberEvidences {
    error EventLogTooLong(uint256 given, uint256 max);

    uint256 private constant KINDS = 3;
    /// @dev Entries; `protocol/limits.ts`.
    uint256 private constant EVENT_LOG_MAX = 32;

    /// @notice The digest that a verdict leaf holds.
    function digest(MemberEvidence calldata evidence) internal pure returns (bytes32) {
        bytes memory quote = abi.encodePacked(
            Domain.part(sha256(evidence.quote.attestation)),
            Domain.part(sha256(evidence.quote.signature)),
            Domain.part(evidence.quote.pcr8),
            Domain.part(evidence.quote.pcr14)
        );
        bytes memory rest = abi.encodePacked(
            Domain.part(_logDigest(evidence.eventLog)),
            Domain.part(evidence.checkpoint),
            Domain.part(evidence.blockId),
            Domain.part(evidence.operationalKey)
        );
        return Domain.digest("anchor-evidence", abi.encodePacked(quote, rest));
    }

    /// @param atMs when it was judged: releases count that were good then
    function judge(MemberEvidence calldata evidence, AttestationKey memory key, bytes32 network, IReleases releases, uint64 atMs)
        internal
        view
        returns (Worth)
    {
        bytes memory about = abi.encodePacked(
            Domain.part(network),
            Domain.part(evidence.checkpoint),
            Domain.part(evidence.blockId),
            Domain.part(key.node),
            Domain.part(evidence.operationalKey)
        );
        (Judgement judgement,,) = TpmQuote.judge(key, evidence.quote, Domain.digest("member-evidence", about));
        bool saysSomethingBad =
            judgement == Judgement.OtherPcrSelection || judgement == Judgement.OtherPcrValues || judgement == Judgement.PcrNotExtended;
        if (saysSomethingBad) return Worth.Bad;
        if (judgement != Judgement.Accepted) return Worth.Nothing;
        bool good = _replays(evidence) && _isKnownGood(evidence.eventLog, releases, atMs);
        return good ? Worth.Good : Worth.Bad;
    }

    function _replays(MemberEvidence calldata evidence) private pure returns (bool) {
        bytes32 pcr8 = _extend(0, Domain.digest("operational-key", Domain.part(evidence.operationalKey)));
        pcr8 = _extend(pcr8, Domain.digest("operational-key", Domain.part(bytes("cap"))));
        bytes32 pcr14;
        for (uint256 i = 0; i < evidence.eventLog.length; i++) {
            pcr14 = _extend(pcr14, Domain.digest("measured-event", _parts(evidence.eventLog[i])));
        }
        return pcr8 == evidence.quote.pcr8 && pcr14 == evidence.quote.pcr14;
    }

    /// @dev Each kind exactly once, with a digest whose release was in its window.
    function _isKnownGood(MeasuredEvent[] calldata eventLog, IReleases releases, uint64 atMs) private view returns (bool) {
        if (eventLog.length != KINDS) return false;
        uint256 seen = 0;
        for (uint256 i = 0; i < KINDS; i++) {
            seen |= 1 << uint256(eventLog[i].kind);
            if (!releases.wasGood(eventLog[i].kind, eventLog[i].digest, atMs)) return false;
        }
        return seen == (1 << KINDS) - 1;
    }

    function _logDigest(MeasuredEvent[] calldata eventLog) private pure returns (bytes32) {
        if (eventLog.length > EVENT_LOG_MAX) revert EventLogTooLong(eventLog.length, EVENT_LOG_MAX);
        bytes memory parts;
        for (uint256 i = 0; i < eventLog.length; i++) {
            parts = abi.encodePacked(parts, _parts(eventLog[i]));
        }
        return Domain.digest("anchor-event-log", parts);
    }

    function _parts(MeasuredEvent calldata entry) private pure returns (bytes memory) {
        return abi.encodePacked(Domain.part(_word(entry.kind)), Domain.part(entry.digest));
    }

    function _word(MeasuredKind kind) private pure returns (bytes memory) {
        if (kind == MeasuredKind.Firmware) return "firmware";
        return kind == MeasuredKind.Addon ? bytes("addon") : bytes("board");
    }

    function _extend(bytes32 register, bytes32 value) private pure returns (bytes32) {
        return sha256(abi.encodePacked(register, value));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "./AttestationKey.sol";
import { BlockHeader, BlockHeaders } from "./BlockHeader.sol";
import { Domain } from "./Domain.sol";
import { Judgement } from "./Judgement.sol";
import { ClockInfo, TimeAttest, TpmAttest } from "./TpmAttest.sol";
import { CertifiedTime, TimeCertificate, TpmTime } from "./TpmTime.sol";

/// @notice A block without its transactions: the header's bytes, and the end certificate.
struct BareBlock {
    bytes header;
    TimeCertificate end;
}

/// @title Two blocks of one member at one height
/// @notice Specification §12.6: the same rule as `device/ledger/equivocation.ts`.
library TwoBlocks {
    error OtherNetwork(bytes32 given, bytes32 wanted);
    error OtherNode(bytes32 given, bytes32 wanted);
    error OtherHeight(uint64 first, uint64 second);
    error SameBlock(bytes32 id);
    error WaitsApart();

    /// @notice Reverts unless the key's chip made both blocks, and some second of it counts for both.
    function requireContradiction(AttestationKey memory key, bytes32 network, BareBlock calldata first, BareBlock calldata second)
        internal
        view
    {
        uint64 height = _require(first, network, key.node);
        uint64 other = _require(second, network, key.node);
        if (height != other) revert OtherHeight(height, other);
        bytes32 id = _id(first);
        if (id == _id(second)) revert SameBlock(id);
        CertifiedTime memory firstEnd = TpmTime.requireGood(key, first.end, _qualifier(first));
        CertifiedTime memory secondEnd = TpmTime.requireGood(key, second.end, _qualifier(second));
        if (_follows(second, firstEnd) || _follows(first, secondEnd)) revert WaitsApart();
    }

    function _require(BareBlock calldata shown, bytes32 network, bytes32 node) private pure returns (uint64) {
        BlockHeader memory header = BlockHeaders.read(shown.header);
        if (header.network != network) revert OtherNetwork(header.network, network);
        if (header.node != node) revert OtherNode(header.node, node);
        return header.height;
    }

    /// @dev Whether the block's wait began no earlier than that moment. What no chip can have certified is apart from nothing.
    function _follows(BareBlock calldata shown, CertifiedTime memory end) private pure returns (bool) {
        (Judgement judgement, TimeAttest memory start) = TpmAttest.readTime(BlockHeaders.startAttestation(shown.header));
        if (judgement != Judgement.Accepted) return false;
        ClockInfo memory from = start.clockInfo;
        ClockInfo memory to = end.clockInfo;
        if (from.resetCount != to.resetCount) return from.resetCount > to.resetCount;
        if (from.restartCount != to.restartCount) return from.restartCount > to.restartCount;
        return start.time >= end.timeMs;
    }

    function _id(BareBlock calldata shown) private pure returns (bytes32) {
        bytes memory header = Domain.part(Domain.digest("block-header", Domain.part(shown.header)));
        bytes memory signature = abi.encodePacked(shown.end.r, shown.end.s);
        return Domain.digest("block", abi.encodePacked(header, Domain.part(shown.end.attestation), Domain.part(signature)));
    }

    function _qualifier(BareBlock calldata shown) private pure returns (bytes32) {
        return Domain.digest("poet-end", Domain.part(shown.header));
    }
}

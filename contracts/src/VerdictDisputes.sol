// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IAnchors, ShownMember } from "./interfaces/IAnchors.sol";
import { IReleases } from "./interfaces/IReleases.sol";
import { IVerdictDisputes, Refutation, ShownVerdict } from "./interfaces/IVerdictDisputes.sol";
import { AnchorHeader } from "./libraries/Anchor.sol";
import { AttestationKey } from "./libraries/AttestationKey.sol";
import { Draw, JudgeDraw, ShownCredit } from "./libraries/JudgeDraw.sol";
import { Word } from "./libraries/Leaves.sol";
import { MemberEvidence, Worth } from "./libraries/MemberEvidence.sol";
import { MerkleTree } from "./libraries/MerkleTree.sol";

/// @title Disputes about verdicts
/// @notice Specification §20.6.
contract VerdictDisputes is IVerdictDisputes {
    IAnchors public immutable anchors;
    IReleases public immutable releases;
    /// @inheritdoc IVerdictDisputes
    uint256 public immutable judges;

    /// @inheritdoc IVerdictDisputes
    mapping(uint64 epoch => mapping(bytes32 node => Refutation)) public refutationOf;

    constructor(IAnchors theAnchors, IReleases theReleases, uint256 committeeSize) {
        (anchors, releases, judges) = (theAnchors, theReleases, committeeSize);
    }

    /// @inheritdoc IVerdictDisputes
    function refuteDraw(
        AnchorHeader calldata header,
        ShownVerdict calldata verdict,
        AnchorHeader calldata drawnFrom,
        bytes32[] calldata committee,
        uint256 judge,
        ShownCredit[] calldata witnesses
    ) external {
        _requireVerdict(header, verdict);
        bytes32 given = JudgeDraw.digest(committee);
        if (given != verdict.leaf.judges) revert OtherJudges(given, verdict.leaf.judges);
        if (drawnFrom.epoch != verdict.leaf.drawnFrom) revert OtherDraw(drawnFrom.epoch, verdict.leaf.drawnFrom);
        anchors.requireFinal(drawnFrom);
        Draw memory draw = Draw({ network: anchors.network(), seed: drawnFrom.seed, subject: verdict.leaf.node, slot: verdict.leaf.slot });
        JudgeDraw.requireNotDrawn(draw, committee, judge, judges, drawnFrom, witnesses);
        _refute(header.epoch, verdict.leaf.node, Refutation.JudgeNotDrawn);
    }

    /// @inheritdoc IVerdictDisputes
    function refuteByEvidence(
        AnchorHeader calldata header,
        ShownVerdict calldata verdict,
        ShownMember calldata member,
        MemberEvidence calldata evidence
    ) external {
        _requireVerdict(header, verdict);
        bytes32 node = verdict.leaf.node;
        AttestationKey memory key = _requireMember(header, member);
        if (key.node != node) revert OtherMember(key.node, node);
        if (verdict.leaf.evidence == 0) revert NoEvidence(node);
        bytes32 given = evidence.digest();
        if (given != verdict.leaf.evidence) revert OtherEvidence(given, verdict.leaf.evidence);
        Worth worth = evidence.judge(key, anchors.network(), releases, verdict.leaf.judgedAtMs);
        if (!_contradicts(verdict.leaf.word, worth)) revert EvidenceAgrees(node);
        _refute(header.epoch, node, Refutation.ContradictedByEvidence);
    }

    /// @dev Evidence that anybody could have made carries neither word. `disputed` and `unreachable` don't rest on one piece of evidence.
    function _contradicts(Word word, Worth worth) private pure returns (bool) {
        if (word == Word.Trusted) return worth != Worth.Good;
        return word == Word.Untrusted && worth != Worth.Bad;
    }

    function _requireMember(AnchorHeader calldata header, ShownMember calldata member) private view returns (AttestationKey memory) {
        anchors.requireFinal(header);
        MerkleTree.requireIncluded(member.leaf.digest(), member.index, header.members, member.path, header.membersRoot);
        return member.leaf.key();
    }

    function _requireVerdict(AnchorHeader calldata header, ShownVerdict calldata verdict) private view {
        anchors.requireFinal(header);
        MerkleTree.requireIncluded(verdict.leaf.digest(), verdict.index, header.members, verdict.path, header.verdictsRoot);
    }

    function _refute(uint64 epoch, bytes32 node, Refutation refutation) private {
        if (refutationOf[epoch][node] != Refutation.None) revert AlreadyRefuted(epoch, node);
        refutationOf[epoch][node] = refutation;
        emit Refuted(epoch, node, refutation);
    }
}

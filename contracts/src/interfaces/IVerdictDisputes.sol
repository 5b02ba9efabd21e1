// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AnchorHeader } from "../libraries/Anchor.sol";
import { ShownCredit } from "../libraries/JudgeDraw.sol";
import { VerdictLeaf } from "../libraries/Leaves.sol";
import { MemberEvidence } from "../libraries/MemberEvidence.sol";
import { ShownMember } from "./IAnchors.sol";

/// @notice Why a verdict counts no more.
enum Refutation {
    None,
    JudgeNotDrawn,
    ContradictedByEvidence
}

/// @notice A leaf of the verdicts' tree, shown.
struct ShownVerdict {
    uint64 index;
    VerdictLeaf leaf;
    bytes32[] path;
}

/// @notice Specification §20.6: verdicts in a final anchor that anybody has shown to be wrong, for good. Nobody's stake goes by it: no single
/// judge signed the leaf. Who reads a verdict reads whether it is refuted.
interface IVerdictDisputes {
    event Refuted(uint64 indexed epoch, bytes32 indexed node, Refutation indexed refutation);

    error AlreadyRefuted(uint64 epoch, bytes32 node);
    error OtherJudges(bytes32 given, bytes32 wanted);
    error OtherDraw(uint64 given, uint64 wanted);
    error NoEvidence(bytes32 node);
    error OtherEvidence(bytes32 given, bytes32 wanted);
    error OtherMember(bytes32 given, bytes32 wanted);
    error EvidenceAgrees(bytes32 node);

    /// @notice How many judge a member, where there are as many.
    function judges() external view returns (uint256);

    /// @notice Whether a verdict counts no more. @param epoch of the anchor with its leaf
    function refutationOf(uint64 epoch, bytes32 node) external view returns (Refutation);

    /// @notice A judge in a verdict was not drawn. @param drawnFrom header of the epoch from whose state the judges were drawn
    function refuteDraw(
        AnchorHeader calldata header,
        ShownVerdict calldata verdict,
        AnchorHeader calldata drawnFrom,
        bytes32[] calldata committee,
        uint256 judge,
        ShownCredit[] calldata witnesses
    ) external;

    /// @notice A verdict says another thing than the evidence that it rests on.
    function refuteByEvidence(
        AnchorHeader calldata header,
        ShownVerdict calldata verdict,
        ShownMember calldata member,
        MemberEvidence calldata evidence
    ) external;
}

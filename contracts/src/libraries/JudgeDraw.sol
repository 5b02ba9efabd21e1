// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AnchorHeader } from "./Anchor.sol";
import { Domain } from "./Domain.sol";
import { CreditLeaf } from "./Leaves.sol";
import { MerkleTree } from "./MerkleTree.sol";

/// @notice A leaf of the credits' tree, shown.
struct ShownCredit {
    uint64 index;
    CreditLeaf leaf;
    bytes32[] path;
}

/// @notice For which verdict judges were drawn, and by which seed.
struct Draw {
    bytes32 network;
    bytes32 seed;
    bytes32 subject;
    uint64 slot;
}

/// @title The draw of judges
/// @notice Specification §20.6: eligible members in the order of a digest, the first so many. That somebody is not among them is shown by one
/// leaf or by so many; that somebody is would need all.
library JudgeDraw {
    error WitnessesUnordered(uint64 index);
    error TooFewWitnesses(uint256 given, uint256 needed);
    error WitnessProvesNothing(bytes32 node);
    error JudgeUnknown(uint256 judge, uint256 judges);

    /// @notice Reverts unless a committee is shown not to be the drawn one.
    /// @param judges as the verdict leaf's digest has them
    /// @param judge number of the judge that was not drawn
    /// @param places how many are drawn, where there are as many
    /// @param witnesses of the state that the judges were drawn from, ascending
    function requireNotDrawn(
        Draw memory draw,
        bytes32[] calldata judges,
        uint256 judge,
        uint256 places,
        AnchorHeader calldata drawnFrom,
        ShownCredit[] calldata witnesses
    ) internal pure {
        if (judge >= judges.length) revert JudgeUnknown(judge, judges.length);
        bytes32 suspect = judges[judge];
        if (judges.length > places || suspect == draw.subject) return;
        bytes32 committee = _committee(draw);
        bytes32 order = _order(committee, suspect);
        if (judge > 0 && _order(committee, judges[judge - 1]) >= order) return;
        if (witnesses.length == 1 && witnesses[0].leaf.node == suspect && !witnesses[0].leaf.eligible) {
            return _requireShown(witnesses[0], drawnFrom);
        }
        if (witnesses.length < judges.length) revert TooFewWitnesses(witnesses.length, judges.length);
        for (uint256 i = 0; i < witnesses.length; i++) {
            ShownCredit calldata witness = witnesses[i];
            if (i > 0 && witness.index <= witnesses[i - 1].index) revert WitnessesUnordered(witness.index);
            bool before = witness.leaf.eligible && witness.leaf.node != draw.subject && _order(committee, witness.leaf.node) < order;
            if (!before) revert WitnessProvesNothing(witness.leaf.node);
            _requireShown(witness, drawnFrom);
        }
    }

    /// @notice The digest of a committee in a verdict leaf.
    function digest(bytes32[] calldata judges) internal pure returns (bytes32) {
        bytes memory parts;
        for (uint256 i = 0; i < judges.length; i++) {
            parts = abi.encodePacked(parts, Domain.part(judges[i]));
        }
        return Domain.digest("anchor-judges", parts);
    }

    function _requireShown(ShownCredit calldata shown, AnchorHeader calldata header) private pure {
        MerkleTree.requireIncluded(shown.leaf.digest(), shown.index, header.members, shown.path, header.creditsRoot);
    }

    function _committee(Draw memory draw) private pure returns (bytes32) {
        bytes memory about =
            abi.encodePacked(Domain.part(draw.network), Domain.part(draw.seed), Domain.part(draw.subject), Domain.part(draw.slot));
        return Domain.digest("verdict-committee", about);
    }

    function _order(bytes32 committee, bytes32 node) private pure returns (bytes32) {
        return Domain.digest("committee-order", abi.encodePacked(Domain.part(committee), Domain.part(node)));
    }
}

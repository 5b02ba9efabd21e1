// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IAnchors, ShownMember } from "./interfaces/IAnchors.sol";
import { Fault, INodeDisputes, Mark, SignedAnchor } from "./interfaces/INodeDisputes.sol";
import { AnchorHeader, Place } from "./libraries/Anchor.sol";
import { AttestationKey } from "./libraries/AttestationKey.sol";
import { CompactTime } from "./libraries/CompactTime.sol";
import { Standing } from "./libraries/Leaves.sol";
import { MerkleTree } from "./libraries/MerkleTree.sol";
import { BareBlock, TwoBlocks } from "./libraries/TwoBlocks.sol";

/// @title Disputes about nodes
/// @notice Specification §20.6. It marks; the registry takes the stake.
contract NodeDisputes is INodeDisputes {
    IAnchors public immutable anchors;

    mapping(bytes32 node => Mark) private _marks;

    constructor(IAnchors theAnchors) {
        anchors = theAnchors;
    }

    /// @inheritdoc INodeDisputes
    function markOf(bytes32 node) external view returns (Mark memory) {
        return _marks[node];
    }

    /// @inheritdoc INodeDisputes
    /// @dev After a recovery members sign the same epoch again, after another anchor: that is no contradiction.
    function proveTwoAnchors(
        AnchorHeader calldata known,
        ShownMember calldata member,
        SignedAnchor calldata first,
        SignedAnchor calldata second
    ) external {
        bool ofOneEpoch =
            first.header.epoch == second.header.epoch && first.header.previous == second.header.previous;
        if (!ofOneEpoch) revert NotOfOneEpoch(first.header.epoch, second.header.epoch);
        Place memory place = Place({ network: anchors.network(), anchors: address(anchors) });
        bytes32 anchor = first.header.digest(place);
        bytes32 other = second.header.digest(place);
        if (anchor == other) revert SameAnchor(anchor);
        AttestationKey memory key = _requireMember(known, member);
        CompactTime.requireHeld(key, first.vote, anchor);
        CompactTime.requireHeld(key, second.vote, other);
        _mark(key.node, Fault.TwoAnchors);
    }

    /// @inheritdoc INodeDisputes
    function proveTwoBlocks(AnchorHeader calldata known, ShownMember calldata member, BareBlock calldata first, BareBlock calldata second)
        external
    {
        AttestationKey memory key = _requireMember(known, member);
        TwoBlocks.requireContradiction(key, anchors.network(), first, second);
        _mark(key.node, Fault.TwoBlocks);
    }

    /// @inheritdoc INodeDisputes
    function proveExpelled(AnchorHeader calldata known, ShownMember calldata member) external {
        AttestationKey memory key = _requireMember(known, member);
        if (member.leaf.standing != Standing.Expelled) revert NotExpelled(key.node);
        _mark(key.node, Fault.Expelled);
    }

    function _requireMember(AnchorHeader calldata header, ShownMember calldata member) private view returns (AttestationKey memory) {
        anchors.requireFinal(header);
        MerkleTree.requireIncluded(member.leaf.digest(), member.index, header.members, member.path, header.membersRoot);
        return member.leaf.key();
    }

    function _mark(bytes32 node, Fault fault) private {
        if (_marks[node].fault != Fault.None) revert AlreadyMarked(node, _marks[node].fault);
        _marks[node] = Mark({ fault: fault, prover: msg.sender, provenAt: uint64(block.timestamp) });
        emit Marked(node, fault, msg.sender);
    }
}

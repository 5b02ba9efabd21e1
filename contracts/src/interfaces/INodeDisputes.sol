// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AnchorHeader } from "../libraries/Anchor.sol";
import { BareBlock } from "../libraries/TwoBlocks.sol";
import { ShownMember } from "./IAnchors.sol";

/// @notice Why a node's stake goes.
enum Fault {
    None,
    TwoAnchors,
    TwoBlocks,
    Expelled
}

/// @notice Which fault, and by whom it was proven first.
struct Mark {
    Fault fault;
    address prover;
    uint64 provenAt;
}

/// @notice An anchor, and one member's vote for it (`CompactTime`).
struct SignedAnchor {
    AnchorHeader header;
    bytes vote;
}

/// @notice Specification §20.6: what a node's own chip, or the members, have said against it, shown by anybody, for good. What is signed with
/// Ed25519 (ballots, actions, promises to clients) is judged on our own chain, whose word an anchor carries (`Fault.Expelled`).
interface INodeDisputes {
    event Marked(bytes32 indexed node, Fault indexed fault, address indexed prover);

    error AlreadyMarked(bytes32 node, Fault fault);
    error NotOfOneEpoch(uint64 first, uint64 second);
    error SameAnchor(bytes32 anchor);
    error NotExpelled(bytes32 node);

    function markOf(bytes32 node) external view returns (Mark memory);

    /// @notice One chip voted for two anchors of one epoch after one anchor. @param known header of a final anchor with the member
    function proveTwoAnchors(
        AnchorHeader calldata known,
        ShownMember calldata member,
        SignedAnchor calldata first,
        SignedAnchor calldata second
    ) external;

    /// @notice One chip made two blocks of one height in overlapping time.
    function proveTwoBlocks(AnchorHeader calldata known, ShownMember calldata member, BareBlock calldata first, BareBlock calldata second)
        external;

    /// @notice The members have expelled it.
    function proveExpelled(AnchorHeader calldata known, ShownMember calldata member) external;
}

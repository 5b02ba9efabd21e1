// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Domain } from "./Domain.sol";

/// @notice What an epoch leaves on layer 1: where the chain stood at its checkpoint, and the roots of its state there.
struct AnchorHeader {
    uint64 epoch;
    uint64 checkpoint;
    uint64 height;
    bytes32 blockId;
    /// @dev Chain time (§11.2) of the block, ms since 1970.
    uint64 timeMs;
    bytes32 seed;
    bytes32 membersRoot;
    bytes32 verdictsRoot;
    bytes32 creditsRoot;
    /// @dev Leaves of each of the three trees; the first `seats` of them have a seat in force.
    uint64 members;
    uint64 seats;
    /// @dev The anchor before, or that of a recovery (§20.7); zeros for epoch 0.
    bytes32 previous;
}

/// @notice For which network, and for which contract of this chain, a chip signs.
struct Place {
    bytes32 network;
    address anchors;
}

using Anchor for AnchorHeader global;

/// @title Digests of anchors
/// @notice Specification §20.2. Chain id and contract are inside: no vote counts anywhere else.
library Anchor {
    function digest(AnchorHeader memory header, Place memory place) internal view returns (bytes32) {
        bytes memory where = abi.encodePacked(Domain.part(place.network), Domain.part(uint64(block.chainid)), Domain.part(place.anchors));
        bytes memory moment = abi.encodePacked(
            Domain.part(header.epoch),
            Domain.part(header.checkpoint),
            Domain.part(header.height),
            Domain.part(header.blockId),
            Domain.part(header.timeMs),
            Domain.part(header.seed)
        );
        bytes memory state = abi.encodePacked(
            Domain.part(header.membersRoot),
            Domain.part(header.verdictsRoot),
            Domain.part(header.creditsRoot),
            Domain.part(header.members),
            Domain.part(header.seats),
            Domain.part(header.previous)
        );
        return Domain.digest("anchor", abi.encodePacked(where, moment, state));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "./AttestationKey.sol";
import { Domain } from "./Domain.sol";

/// @notice A member's chip, and what it may do.
struct MemberLeaf {
    bytes32 node;
    bytes32 x;
    bytes32 y;
    /// @dev D(`anchor-vrf`, public area of the VRF key).
    bytes32 vrf;
    Standing standing;
    uint64 drawsFromEpoch;
}

enum Standing {
    None,
    Seat,
    Expelled
}

/// @notice The last verdict on a member.
struct VerdictLeaf {
    bytes32 node;
    uint64 slot;
    Word word;
    /// @dev Number of a checkpoint.
    uint64 attestedUntil;
    /// @dev Chain time of the block with the judged evidence, ms since 1970.
    uint64 judgedAtMs;
    /// @dev Digest of the judged evidence (`MemberEvidence`); zeros where there was none.
    bytes32 evidence;
    /// @dev Digest of the drawn judges; zeros where none were drawn.
    bytes32 judges;
    /// @dev Epoch of the anchor from whose state the judges were drawn.
    uint64 drawnFrom;
}

enum Word {
    None,
    Trusted,
    Untrusted,
    Disputed,
    Unreachable
}

struct CreditLeaf {
    bytes32 node;
    uint64 credit;
    /// @dev Whether it may be drawn as a judge.
    bool eligible;
}

using Leaves for MemberLeaf global;
using Leaves for VerdictLeaf global;
using Leaves for CreditLeaf global;

/// @title Leaves of the three trees of an anchor
/// @notice Specification §20.1. Integers are 8 bytes, big-endian, words and booleans by their number.
library Leaves {
    function digest(MemberLeaf memory leaf) internal pure returns (bytes32) {
        bytes memory keys = abi.encodePacked(Domain.part(leaf.node), Domain.part(leaf.x), Domain.part(leaf.y), Domain.part(leaf.vrf));
        bytes memory seat = abi.encodePacked(Domain.part(uint64(leaf.standing)), Domain.part(leaf.drawsFromEpoch));
        return Domain.digest("anchor-member", abi.encodePacked(keys, seat));
    }

    function digest(VerdictLeaf memory leaf) internal pure returns (bytes32) {
        bytes memory verdict = abi.encodePacked(
            Domain.part(leaf.node), Domain.part(leaf.slot), Domain.part(uint64(leaf.word)), Domain.part(leaf.attestedUntil)
        );
        bytes memory grounds = abi.encodePacked(
            Domain.part(leaf.judgedAtMs), Domain.part(leaf.evidence), Domain.part(leaf.judges), Domain.part(leaf.drawnFrom)
        );
        return Domain.digest("anchor-verdict", abi.encodePacked(verdict, grounds));
    }

    function digest(CreditLeaf memory leaf) internal pure returns (bytes32) {
        uint64 eligible = leaf.eligible ? 1 : 0;
        return Domain.digest("anchor-credit", abi.encodePacked(Domain.part(leaf.node), Domain.part(leaf.credit), Domain.part(eligible)));
    }

    /// @notice The key that the member's chip signs with.
    function key(MemberLeaf memory leaf) internal pure returns (AttestationKey memory) {
        return AttestationKey({ node: leaf.node, x: leaf.x, y: leaf.y });
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MerkleTree } from "../../src/libraries/MerkleTree.sol";

/// @title Paths in trees, for tests
/// @notice RFC 9162 §2.1.3.1, by its recursive definition.
library Trees {
    function root(bytes32[] memory ids) internal pure returns (bytes32) {
        return _root(ids, 0, ids.length);
    }

    function path(bytes32[] memory ids, uint256 index) internal pure returns (bytes32[] memory) {
        bytes32[] memory downwards = new bytes32[](64);
        uint256 length = 0;
        uint256 from = 0;
        uint256 size = ids.length;
        while (size > 1) {
            uint256 left = _split(size);
            bool isLeft = index - from < left;
            downwards[length++] = isLeft ? _root(ids, from + left, size - left) : _root(ids, from, left);
            (from, size) = isLeft ? (from, left) : (from + left, size - left);
        }
        bytes32[] memory upwards = new bytes32[](length);
        for (uint256 i = 0; i < length; i++) {
            upwards[i] = downwards[length - 1 - i];
        }
        return upwards;
    }

    function _root(bytes32[] memory ids, uint256 from, uint256 size) private pure returns (bytes32) {
        if (size == 1) return MerkleTree.leaf(ids[from]);
        uint256 left = _split(size);
        return MerkleTree.parent(_root(ids, from, left), _root(ids, from + left, size - left));
    }

    /// @dev The largest power of two below the size.
    function _split(uint256 size) private pure returns (uint256 left) {
        for (left = 1; left * 2 < size;) {
            left *= 2;
        }
    }
}

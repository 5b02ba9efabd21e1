// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle trees over lists of 32-byte ids
/// @notice The tree of RFC 9162 §2.1 with the digests of Specification §11.3, as `protocol/chain/merkle.ts` builds it.
library MerkleTree {
    error IndexOutOfRange(uint256 index, uint256 size);
    error PathLength(uint256 given, uint256 needed);
    error OtherRoot(bytes32 computed, bytes32 root);

    /// @notice Reverts unless `root` is that of a list of `size` ids with `id` at `index`. RFC 9162 §2.1.3.2.
    /// @param path the siblings from the leaf upwards
    function requireIncluded(bytes32 id, uint256 index, uint256 size, bytes32[] calldata path, bytes32 root) internal pure {
        bytes32 computed = rootFrom(id, index, size, path);
        if (computed != root) revert OtherRoot(computed, root);
    }

    /// @notice The root to which a path leads. Reverts where index or length of the path don't fit the size.
    function rootFrom(bytes32 id, uint256 index, uint256 size, bytes32[] calldata path) internal pure returns (bytes32 node) {
        if (index >= size) revert IndexOutOfRange(index, size);
        uint256 needed = pathLength(index, size);
        if (path.length != needed) revert PathLength(path.length, needed);
        node = leaf(id);
        uint256 last = size - 1;
        for (uint256 used = 0; last > 0; (index, last) = (index >> 1, last >> 1)) {
            if (index & 1 == 1) node = parent(path[used++], node);
            else if (index < last) node = parent(node, path[used++]);
        }
    }

    /// @notice How many siblings an entry has on its way to the root.
    function pathLength(uint256 index, uint256 size) internal pure returns (uint256 length) {
        for (uint256 last = size - 1; last > 0; (index, last) = (index >> 1, last >> 1)) {
            if (index & 1 == 1 || index < last) length++;
        }
    }

    /// @notice The root of the ids in this order. Overwrites the list.
    function rootOf(bytes32[] memory ids) internal pure returns (bytes32) {
        uint256 size = ids.length;
        if (size == 0) return sha256("capstan/1/merkle-empty\x00");
        for (uint256 i = 0; i < size; i++) {
            ids[i] = leaf(ids[i]);
        }
        for (; size > 1; size = (size + 1) >> 1) {
            for (uint256 i = 0; i < size; i += 2) {
                ids[i >> 1] = i + 1 < size ? parent(ids[i], ids[i + 1]) : ids[i];
            }
        }
        return ids[0];
    }

    function leaf(bytes32 id) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("capstan/1/merkle-leaf\x00", uint32(32), id));
    }

    function parent(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("capstan/1/merkle-node\x00", uint32(32), left, uint32(32), right));
    }
}

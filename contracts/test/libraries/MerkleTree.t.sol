// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MerkleTree } from "../../src/libraries/MerkleTree.sol";
import { Cases } from "../Cases.sol";
import { vm } from "../Vm.sol";

/// @notice Inclusion is judged as `protocol/chain/merkle.ts` judges it (Specification §11.3).
contract MerkleTreeTest {
    function test_verdictsAreTheProtocolsNamed() external view {
        _compare(Cases.named("trees"), 90);
    }

    function test_verdictsAreTheProtocolsMutated() external view {
        _compare(Cases.mutations("trees"), 1);
    }

    /// @dev A tree of any size: every entry is included by its path, and by no other index.
    function testFuzz_onlyTheEntryItselfIsIncluded(uint256 seed, uint256 size, uint256 index, uint256 other) external view {
        size = 1 + size % 70;
        index = index % size;
        other = other % (size + 2);
        bytes32[] memory ids = _ids(seed, size);
        bytes32 id = ids[index];
        bytes32[] memory path = _path(_ids(seed, size), index);
        bytes32 root = MerkleTree.rootOf(ids);
        this.requireIncluded(id, index, size, path, root);
        if (other != index) vm.assertFalse(_isIncluded(id, other, size, path, root), "included twice");
        vm.assertFalse(_isIncluded(~id, index, size, path, root), "another id is included");
    }

    function requireIncluded(bytes32 id, uint256 index, uint256 size, bytes32[] calldata path, bytes32 root) external pure {
        MerkleTree.requireIncluded(id, index, size, path, root);
    }

    function _compare(string memory json, uint256 casesMin) private view {
        string[] memory names = Cases.text(json, "name");
        bytes32[] memory id = Cases.words(json, "id");
        uint256[] memory index = Cases.numbers(json, "index");
        uint256[] memory size = Cases.numbers(json, "size");
        bytes[] memory path = Cases.content(json, "path");
        bytes32[] memory root = Cases.words(json, "root");
        bytes[] memory ids = Cases.content(json, "ids");
        bytes32[] memory listRoot = Cases.words(json, "listRoot");
        string[] memory verdict = Cases.text(json, "verdict");
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            vm.assertEq(_verdict(id[i], index[i], size[i], _split(path[i]), root[i]), verdict[i], names[i]);
            vm.assertEq(MerkleTree.rootOf(_split(ids[i])), listRoot[i], names[i]);
        }
    }

    function _verdict(bytes32 id, uint256 index, uint256 size, bytes32[] memory path, bytes32 root) private view returns (string memory) {
        try this.requireIncluded(id, index, size, path, root) {
            return "accepted";
        } catch (bytes memory reason) {
            bytes4 selector = bytes4(reason);
            if (selector == MerkleTree.IndexOutOfRange.selector) return "index-out-of-range";
            if (selector == MerkleTree.PathLength.selector) return "path-length";
            if (selector == MerkleTree.OtherRoot.selector) return "other-root";
            return "another error";
        }
    }

    function _isIncluded(bytes32 id, uint256 index, uint256 size, bytes32[] memory path, bytes32 root) private view returns (bool) {
        return keccak256(bytes(_verdict(id, index, size, path, root))) == keccak256("accepted");
    }

    /// @dev The recursive definition of RFC 9162 §2.1.3.1, which the library doesn't use.
    function _path(bytes32[] memory ids, uint256 index) private pure returns (bytes32[] memory path) {
        if (ids.length == 1) return new bytes32[](0);
        uint256 split = 1;
        while (split * 2 < ids.length) split *= 2;
        bool left = index < split;
        (bytes32[] memory own, bytes32[] memory others) =
            left ? (_slice(ids, 0, split), _slice(ids, split, ids.length)) : (_slice(ids, split, ids.length), _slice(ids, 0, split));
        bytes32[] memory below = _path(own, left ? index : index - split);
        path = new bytes32[](below.length + 1);
        for (uint256 i = 0; i < below.length; i++) {
            path[i] = below[i];
        }
        path[below.length] = MerkleTree.rootOf(others);
    }

    function _slice(bytes32[] memory ids, uint256 from, uint256 to) private pure returns (bytes32[] memory part) {
        part = new bytes32[](to - from);
        for (uint256 i = from; i < to; i++) {
            part[i - from] = ids[i];
        }
    }

    function _ids(uint256 seed, uint256 size) private pure returns (bytes32[] memory ids) {
        ids = new bytes32[](size);
        for (uint256 i = 0; i < size; i++) {
            ids[i] = keccak256(abi.encode(seed, i));
        }
    }

    function _split(bytes memory joined) private pure returns (bytes32[] memory words) {
        words = new bytes32[](joined.length / 32);
        for (uint256 i = 0; i < words.length; i++) {
            bytes32 word;
            assembly ("memory-safe") {
                word := mload(add(add(joined, 32), mul(i, 32)))
            }
            words[i] = word;
        }
    }
}

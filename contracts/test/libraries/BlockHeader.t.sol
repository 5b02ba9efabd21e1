// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BlockHeader, BlockHeaders } from "../../src/libraries/BlockHeader.sol";
import { StrictCbor } from "../../src/libraries/StrictCbor.sol";
import { Cases } from "../Cases.sol";
import { Verifier } from "../Verifier.sol";
import { vm } from "../Vm.sol";

/// @notice Headers are read as `protocol/chain/block.ts` reads them: strict CBOR, whole (Specification §2.1, §11.1).
contract BlockHeaderTest {
    Verifier private verifier = new Verifier();

    function test_verdictsAreTheProtocolsNamed() external view {
        _compare(Cases.named("headers"), 150);
    }

    function test_verdictsAreTheProtocolsMutated() external view {
        _compare(Cases.mutations("headers"), 1);
    }

    /// @dev What isn't a header is refused with a reason of ours, never by an overflow or a read beyond the end.
    function testFuzz_refusalsHaveReasons(bytes calldata header) external view {
        vm.assertEq(_verdict(header), "malformed", "verdict");
        vm.assertEq(_verdict(bytes.concat(hex"aa6464726177", header)), "malformed", "verdict");
    }

    function _compare(string memory json, uint256 casesMin) private view {
        string[] memory names = Cases.text(json, "name");
        bytes[] memory header = Cases.content(json, "header");
        string[] memory verdict = Cases.text(json, "verdict");
        bytes32[] memory network = Cases.words(json, "network");
        bytes32[] memory parent = Cases.words(json, "parent");
        bytes32[] memory node = Cases.words(json, "node");
        uint256[] memory height = Cases.numbers(json, "height");
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            vm.assertEq(_verdict(header[i]), verdict[i], names[i]);
            if (keccak256(bytes(verdict[i])) != keccak256("accepted")) continue;
            BlockHeader memory expected = BlockHeader(network[i], uint64(height[i]), parent[i], node[i]);
            vm.assertEq(abi.encode(verifier.readHeader(header[i])), abi.encode(expected), names[i]);
        }
    }

    function _verdict(bytes memory header) private view returns (string memory) {
        try verifier.readHeader(header) {
            return "accepted";
        } catch (bytes memory reason) {
            bytes4 selector = bytes4(reason);
            bool known = selector == StrictCbor.UnexpectedItem.selector || selector == StrictCbor.TrailingBytes.selector
                || selector == BlockHeaders.HeaderTooLarge.selector;
            return known ? "malformed" : "another error";
        }
    }
}

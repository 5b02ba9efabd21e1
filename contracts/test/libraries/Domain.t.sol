// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Domain } from "../../src/libraries/Domain.sol";
import { Cases } from "../Cases.sol";
import { vm } from "../Vm.sol";

/// @notice Digests with a domain are those of `protocol/digest.ts` (Specification §2.5).
contract DomainTest {
    function test_digestsAreTheProtocolsNamed() external view {
        _compare(Cases.named("digests"));
    }

    function test_digestsAreTheProtocolsDrawn() external view {
        _compare(Cases.mutations("digests"));
    }

    function testFuzz_partsAreFramed(bytes memory left, bytes memory right) external pure {
        vm.assume(left.length > 0);
        bytes32 apart = Domain.digest("block", abi.encodePacked(Domain.part(left), Domain.part(right)));
        bytes32 joined = Domain.digest("block", abi.encodePacked(Domain.part(bytes.concat(left, right)), Domain.part(bytes(""))));
        vm.assertTrue(apart != joined || right.length == 0, "two lists of parts have one digest");
    }

    function test_anAddressIsTwentyBytes() external pure {
        vm.assertEq(Domain.part(address(0x1234)), abi.encodePacked(uint32(20), address(0x1234)), "part");
    }

    function _compare(string memory json) private pure {
        string[] memory names = Cases.text(json, "name");
        string[] memory domains = Cases.text(json, "domain");
        bytes[] memory content = Cases.content(json, "content");
        bytes32[] memory word = Cases.words(json, "word");
        uint256[] memory count = Cases.numbers(json, "count");
        bytes32[] memory expected = Cases.words(json, "digest");
        bytes32[] memory ofNothing = Cases.words(json, "ofNothing");
        vm.assertGe(names.length, 7, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            bytes memory parts = abi.encodePacked(Domain.part(content[i]), Domain.part(word[i]), Domain.part(uint64(count[i])));
            vm.assertEq(Domain.digest(domains[i], parts), expected[i], names[i]);
            vm.assertEq(Domain.digest(domains[i], ""), ofNothing[i], names[i]);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { CompactTime } from "../../src/libraries/CompactTime.sol";
import { Cases } from "../Cases.sol";
import { vm } from "../Vm.sol";

/// @notice Certified time, of a software TPM among others, as it travels to layer 1. Specification §20.2.
contract CompactTimeTest {
    /// @dev Of TPMS_ATTEST of TPM2_GetTime with a qualified name and a digest.
    uint256 private constant WHOLE = 134;
    uint256 private constant OUTER_SAFE = 92;
    uint256 private constant INNER_SAFE = 125;

    function test_whatIsAcceptedWholeHoldsCompact() external view {
        string memory json = Cases.named("times");
        bytes32[] memory node = Cases.words(json, "node");
        bytes32[] memory x = Cases.words(json, "x");
        bytes32[] memory y = Cases.words(json, "y");
        bytes[] memory attestation = Cases.content(json, "attestation");
        bytes[] memory signature = Cases.content(json, "signature");
        bytes32[] memory about = Cases.words(json, "qualifyingData");
        string[] memory verdict = Cases.text(json, "verdict");
        uint256 accepted = 0;
        for (uint256 i = 0; i < verdict.length; i++) {
            if (attestation[i].length != WHOLE) continue;
            // One command gives one `safe`: where the two differ, no chip has signed, and compact there is no room for a second.
            if (attestation[i][OUTER_SAFE] != attestation[i][INNER_SAFE]) continue;
            if (keccak256(bytes(verdict[i])) != keccak256("accepted")) continue;
            bool held = this.holds(AttestationKey(node[i], x[i], y[i]), this.compact(attestation[i], signature[i]), about[i]);
            vm.assertTrue(held, "accepted whole");
            accepted++;
        }
        vm.assertGe(accepted, 5, "cases");
    }

    function test_verdictsAreTheProtocolsNamed() external view {
        _compare(Cases.named("votes"), 180);
    }

    function test_verdictsAreTheProtocolsMutated() external view {
        _compare(Cases.mutations("votes"), 1);
    }

    function holds(AttestationKey calldata key, bytes calldata time, bytes32 about) external view returns (bool) {
        return CompactTime.holds(key, time, about);
    }

    function compact(bytes calldata attestation, bytes calldata signature) external pure returns (bytes memory) {
        return abi.encodePacked(signature, attestation[76:117]);
    }

    function _compare(string memory json, uint256 casesMin) private view {
        string[] memory names = Cases.text(json, "name");
        bytes32[] memory node = Cases.words(json, "node");
        bytes32[] memory x = Cases.words(json, "x");
        bytes32[] memory y = Cases.words(json, "y");
        bytes[] memory vote = Cases.content(json, "vote");
        bytes32[] memory about = Cases.words(json, "anchor");
        string[] memory verdict = Cases.text(json, "verdict");
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            bool accepted = keccak256(bytes(verdict[i])) == keccak256("accepted");
            vm.assertEq(_held(AttestationKey(node[i], x[i], y[i]), vote[i], about[i]), accepted, names[i]);
        }
    }

    /// @dev What has another length reverts, and is no vote.
    function _held(AttestationKey memory key, bytes memory vote, bytes32 about) private view returns (bool) {
        try this.holds(key, vote, about) returns (bool held) {
            return held;
        } catch {
            return false;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../src/libraries/AttestationKey.sol";
import { vm } from "./Vm.sol";

/// @notice Columns of cases about something that a chip is said to have signed.
struct SignedColumns {
    string[] names;
    bytes32[] node;
    bytes32[] x;
    bytes32[] y;
    bytes[] attestation;
    bytes[] signature;
    bytes32[] qualifyingData;
    string[] verdict;
}

using Cases for SignedColumns global;

/// @title Cases with the protocol's verdicts
/// @notice A JSON file as columns: the named cases of test/vectors/contracts, and mutations of them, which `npm run contracts -- test` makes.
library Cases {
    function named(string memory kind) internal view returns (string memory) {
        return vm.readFile(string.concat("../test/vectors/contracts/", kind, ".json"));
    }

    function mutations(string memory kind) internal view returns (string memory) {
        return vm.readFile(string.concat("../build/contracts/mutations/", kind, ".json"));
    }

    function signed(string memory json) internal pure returns (SignedColumns memory) {
        return SignedColumns({
            names: text(json, "name"),
            node: words(json, "node"),
            x: words(json, "x"),
            y: words(json, "y"),
            attestation: content(json, "attestation"),
            signature: content(json, "signature"),
            qualifyingData: words(json, "qualifyingData"),
            verdict: text(json, "verdict")
        });
    }

    function key(SignedColumns memory columns, uint256 i) internal pure returns (AttestationKey memory) {
        return AttestationKey({ node: columns.node[i], x: columns.x[i], y: columns.y[i] });
    }

    function text(string memory json, string memory field) internal pure returns (string[] memory) {
        return vm.parseJsonStringArray(json, _column(field));
    }

    function content(string memory json, string memory field) internal pure returns (bytes[] memory) {
        return vm.parseJsonBytesArray(json, _column(field));
    }

    function words(string memory json, string memory field) internal pure returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(json, _column(field));
    }

    function numbers(string memory json, string memory field) internal pure returns (uint256[] memory) {
        return vm.parseJsonUintArray(json, _column(field));
    }

    function _column(string memory field) private pure returns (string memory) {
        return string.concat(".", field);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { Quote } from "../../src/libraries/TpmQuote.sol";
import { TimeCertificate } from "../../src/libraries/TpmTime.sol";
import { Cases } from "../Cases.sol";
import { Verifier } from "../Verifier.sol";
import { hardfork, vm } from "../Vm.sol";

/// @notice What verification costs as a transaction of its own, its 21,000 and its calldata included.
contract VerificationGas {
    Verifier private verifier = new Verifier();

    function test_quote() external {
        string memory json = Cases.named("quotes");
        AttestationKey memory key = AttestationKey(Cases.words(json, "node")[0], Cases.words(json, "x")[0], Cases.words(json, "y")[0]);
        Quote memory quote = Quote(
            Cases.content(json, "attestation")[0],
            Cases.content(json, "signature")[0],
            Cases.words(json, "pcr8")[0],
            Cases.words(json, "pcr14")[0]
        );
        bytes32 qualifyingData = Cases.words(json, "qualifyingData")[0];
        _measure("quote", abi.encodeCall(verifier.requireQuote, (key, quote, qualifyingData)), 60_000, 300_000);
    }

    function test_time() external {
        string memory json = Cases.named("times");
        AttestationKey memory key = AttestationKey(Cases.words(json, "node")[0], Cases.words(json, "x")[0], Cases.words(json, "y")[0]);
        (bytes32 r, bytes32 s) = abi.decode(Cases.content(json, "signature")[0], (bytes32, bytes32));
        TimeCertificate memory certificate = TimeCertificate(Cases.content(json, "attestation")[0], r, s);
        bytes32 qualifyingData = Cases.words(json, "qualifyingData")[0];
        _measure("certified time", abi.encodeCall(verifier.requireTime, (key, certificate, qualifyingData)), 60_000, 300_000);
    }

    function test_vrf() external {
        string memory json = Cases.named("vrf");
        uint256 i = 17; // of a software TPM
        (bytes[] memory modulus, bytes[] memory alpha, bytes[] memory proof) =
            (Cases.content(json, "modulus"), Cases.content(json, "alpha"), Cases.content(json, "proof"));
        _measure("VRF proof", abi.encodeCall(verifier.requireVrf, (modulus[i], alpha[i], proof[i])), 80_000, 80_000);
    }

    function test_header() external {
        bytes memory header = Cases.content(Cases.named("headers"), "header")[0];
        _measure("block header", abi.encodeCall(verifier.readHeader, (header)), 80_000, 80_000);
    }

    /// @dev By a call that could write: forge makes a transaction of no other.
    function _measure(string memory name, bytes memory data, uint256 maxWithPrecompile, uint256 max) private {
        (bool done,) = address(verifier).call(data);
        vm.assertTrue(done, name);
        uint256 gas = vm.snapshotGasLastCall(hardfork(), name);
        vm.assertLe(gas, keccak256(bytes(hardfork())) == keccak256("osaka") ? maxWithPrecompile : max, name);
    }
}

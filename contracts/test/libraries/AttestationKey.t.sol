// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { P256 } from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import { AttestationKey, AttestationKeys } from "../../src/libraries/AttestationKey.sol";
import { Verifier } from "../Verifier.sol";
import { vm } from "../Vm.sol";

/// @notice Signatures of attestation keys (Specification §3.1): by the precompile or in Solidity, whichever the hardfork of the run has.
contract AttestationKeyTest {
    Verifier private verifier = new Verifier();

    function testFuzz_eitherHalfIsAccepted(uint256 secret, bytes32 digest) external view {
        (AttestationKey memory key, bytes32 r, bytes32 s) = _signed(secret, digest);
        vm.assertTrue(verifier.hasSigned(key, digest, r, s), "signed");
        bytes32 other = bytes32(P256.N - uint256(s));
        vm.assertTrue(verifier.hasSigned(key, digest, r, other), "signed, other half");
        vm.assertTrue(AttestationKeys.isLow(s) != AttestationKeys.isLow(other), "one half is low");
    }

    function testFuzz_whatIsNotSignedIsRefused(uint256 secret, bytes32 digest, uint8 bit, uint8 field) external view {
        (AttestationKey memory key, bytes32 r, bytes32 s) = _signed(secret, digest);
        bytes32 turned = bytes32(uint256(1) << bit);
        field = field % 5;
        if (field == 0) digest ^= turned;
        if (field == 1) r ^= turned;
        if (field == 2) s ^= turned;
        if (field == 3) key.x ^= turned;
        if (field == 4) key.y ^= turned;
        vm.assertFalse(verifier.hasSigned(key, digest, r, s), "signed");
    }

    function testFuzz_rAndSAreAboveZeroAndBelowTheOrder(uint256 secret, bytes32 digest, uint256 above) external view {
        (AttestationKey memory key, bytes32 r, bytes32 s) = _signed(secret, digest);
        bytes32 outside = bytes32(P256.N + above % (type(uint256).max - P256.N + 1));
        vm.assertFalse(verifier.hasSigned(key, digest, 0, s), "r is 0");
        vm.assertFalse(verifier.hasSigned(key, digest, r, 0), "s is 0");
        vm.assertFalse(verifier.hasSigned(key, digest, outside, s), "r is outside");
        vm.assertFalse(verifier.hasSigned(key, digest, r, outside), "s is outside");
    }

    function _signed(uint256 secret, bytes32 digest) private pure returns (AttestationKey memory key, bytes32 r, bytes32 s) {
        secret = 1 + secret % (P256.N - 1);
        (uint256 x, uint256 y) = vm.publicKeyP256(secret);
        (r, s) = vm.signP256(secret, digest);
        key = AttestationKey(0, bytes32(x), bytes32(y));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { P256 } from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @notice A restricted P-256 signing key of a TPM, child of the endorsement key whose public area hashes to `node`.
struct AttestationKey {
    bytes32 node;
    bytes32 x;
    bytes32 y;
}

using AttestationKeys for AttestationKey global;

/// @title What an attestation key signs with, and how it is named
/// @notice Specification §3.1. Template and endorsement key fix all of its name but the point: no name need be stored.
library AttestationKeys {
    /// @dev TPMT_PUBLIC of the template up to `unique`: ECC, SHA-256, attributes, no policy, no cipher, ECDSA with SHA-256, P-256, no KDF.
    bytes private constant TEMPLATE = hex"0023000b00050472000000100018000b00030010";
    bytes4 private constant ENDORSEMENT_HIERARCHY = 0x4000000b;
    bytes2 private constant SHA256 = 0x000b;

    /// @notice Whether a name is the key's qualified name.
    function isQualifiedName(AttestationKey memory key, bytes memory name) internal pure returns (bool) {
        bytes32 given = keccak256(name);
        if (given == keccak256(key.qualifiedName())) return true;
        return key.mayBeNamedShorter() && given == keccak256(key.shorterQualifiedName());
    }

    /// @notice SHA-256 ‖ H(QN(EK) ‖ Name(AK)), 34 bytes.
    function qualifiedName(AttestationKey memory key) internal pure returns (bytes memory) {
        return _qualifiedName(key, abi.encodePacked(key.x), abi.encodePacked(key.y));
    }

    /// @notice Some chips leave out leading zeros of a coordinate, and then name the shorter form.
    function shorterQualifiedName(AttestationKey memory key) internal pure returns (bytes memory) {
        return _qualifiedName(key, _withoutZeros(key.x), _withoutZeros(key.y));
    }

    function mayBeNamedShorter(AttestationKey memory key) internal pure returns (bool) {
        return key.x[0] == 0 || key.y[0] == 0;
    }

    /// @notice Whether the key signed this digest; `s` may be in either half, because a TPM doesn't choose.
    /// @dev False for r or s of zero or not below the order, and for a point off the curve. By the precompile at 0x100 where the chain has it.
    function hasSigned(AttestationKey memory key, bytes32 digest, bytes32 r, bytes32 s) internal view returns (bool) {
        if (!isLow(s) && uint256(s) < P256.N) s = bytes32(P256.N - uint256(s));
        return P256.verify(digest, r, s, key.x, key.y);
    }

    /// @notice Whether s is in the lower half of the order, as in every signature of which there must be one form (§11.1).
    function isLow(bytes32 s) internal pure returns (bool) {
        return uint256(s) <= P256.N / 2;
    }

    /// @notice Whether this chain tells a good signature from one of something else: what stands at 0x100 may be no such precompile.
    /// @dev An ECDSA signature with small r and s, of Wycheproof's vectors for P-256.
    function areJudged() internal view returns (bool) {
        bytes32 digest = 0xbb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023;
        AttestationKey memory key = AttestationKey({
            node: 0,
            x: 0xa71af64de5126a4a4e02b7922d66ce9415ce88a4c9d25514d91082c8725ac957,
            y: 0x5d47723c8fbe580bb369fec9c2665d8e30a435b9932645482e7c9f11e872296b
        });
        bytes32 s = bytes32(uint256(1));
        return key.hasSigned(digest, bytes32(uint256(5)), s) && !key.hasSigned(~digest, bytes32(uint256(5)), s);
    }

    function _qualifiedName(AttestationKey memory key, bytes memory x, bytes memory y) private pure returns (bytes memory) {
        bytes32 endorsementKey = sha256(abi.encodePacked(ENDORSEMENT_HIERARCHY, SHA256, key.node));
        bytes32 name = sha256(abi.encodePacked(TEMPLATE, uint16(x.length), x, uint16(y.length), y));
        return abi.encodePacked(SHA256, sha256(abi.encodePacked(SHA256, endorsementKey, SHA256, name)));
    }

    function _withoutZeros(bytes32 coordinate) private pure returns (bytes memory stripped) {
        uint256 zeros = 0;
        while (zeros < 32 && coordinate[zeros] == 0) zeros++;
        stripped = new bytes(32 - zeros);
        for (uint256 i = 0; i < stripped.length; i++) {
            stripped[i] = coordinate[zeros + i];
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey, AttestationKeys } from "./AttestationKey.sol";

/// @title TPM2_GetTime without what everybody knows of it
/// @notice Specification §20.2: of a chip's word only signature and counters travel. Magic, kind, qualified signer and qualifying data are put in
/// here, so a signature that holds is a TPM's, by this key, about this digest: there is nothing to parse, and nothing left unchecked.
library CompactTime {
    error OtherLength(uint256 given, uint256 wanted);
    error NotSigned(bytes32 node, bytes32 qualifyingData);

    /// @dev r (32), s (32), clock (8), resetCount (4), restartCount (4), safe (1), firmwareVersion (8), Time (8), inner clock (8).
    uint256 internal constant BYTES = 105;

    /// @dev TPM_GENERATED, TPM_ST_ATTEST_TIME, length of a qualified name.
    bytes8 private constant HEAD = hex"ff54434780190022";
    bytes2 private constant DIGEST_LENGTH = 0x0020;

    /// @notice Whether the key's chip said this about the qualifying data. s must be in the lower half of the order.
    /// @param time 105 bytes
    function holds(AttestationKey memory key, bytes calldata time, bytes32 qualifyingData) internal view returns (bool) {
        if (time.length != BYTES) revert OtherLength(time.length, BYTES);
        (bytes32 r, bytes32 s) = (bytes32(time[:32]), bytes32(time[32:64]));
        if (!AttestationKeys.isLow(s)) return false;
        bytes memory tail = abi.encodePacked(DIGEST_LENGTH, qualifyingData, time[64:105], time[72:89]);
        if (key.hasSigned(_digest(key.qualifiedName(), tail), r, s)) return true;
        return key.mayBeNamedShorter() && key.hasSigned(_digest(key.shorterQualifiedName(), tail), r, s);
    }

    /// @notice Reverts unless the key's chip said this about the qualifying data.
    function requireHeld(AttestationKey memory key, bytes calldata time, bytes32 qualifyingData) internal view {
        if (!holds(key, time, qualifyingData)) revert NotSigned(key.node, qualifyingData);
    }

    function _digest(bytes memory qualifiedName, bytes memory tail) private pure returns (bytes32) {
        return sha256(abi.encodePacked(HEAD, qualifiedName, tail));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { P256 } from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { TimeCertificate } from "../../src/libraries/TpmTime.sol";
import { vm } from "../Vm.sol";

/// @notice A TPM's moment: ms since it got power, and which boot that is.
struct Moment {
    uint64 time;
    uint32 resetCount;
    uint32 restartCount;
}

/// @title Chips for tests
/// @notice They sign as a TPM does: TPMS_ATTEST put together byte by byte, from TPM 2.0 Part 2 section 10.12, without the code under test.
library Chips {
    bytes8 private constant FIRMWARE = 0x2024012500120000;

    function publicKey(uint256 secret, bytes32 node) internal pure returns (AttestationKey memory) {
        (uint256 x, uint256 y) = vm.publicKeyP256(secret);
        return AttestationKey({ node: node, x: bytes32(x), y: bytes32(y) });
    }

    /// @notice TPM2_GetTime, whole.
    function time(uint256 secret, AttestationKey memory key, bytes32 about, Moment memory moment)
        internal
        pure
        returns (TimeCertificate memory)
    {
        bytes memory attestation = _timeAttest(key, about, moment);
        (bytes32 r, bytes32 s) = lowSigned(secret, sha256(attestation));
        return TimeCertificate({ attestation: attestation, r: r, s: s });
    }

    /// @notice TPM2_GetTime as it travels to layer 1 (`CompactTime`).
    function compactTime(uint256 secret, AttestationKey memory key, bytes32 about) internal pure returns (bytes memory) {
        Moment memory moment = Moment({ time: 86_400_000, resetCount: 7, restartCount: 3 });
        TimeCertificate memory whole = time(secret, key, about, moment);
        bytes memory outer = abi.encodePacked(_clockInfo(moment), FIRMWARE);
        return abi.encodePacked(whole.r, whole.s, outer, moment.time, uint64(moment.time + 1_000_000));
    }

    /// @notice TPM2_Quote over PCRs 8 and 14.
    function quote(AttestationKey memory key, bytes32 about, bytes32 pcr8, bytes32 pcr14) internal pure returns (bytes memory) {
        bytes memory attested = abi.encodePacked(hex"00000001000b030041000020", sha256(abi.encodePacked(pcr8, pcr14)));
        return abi.encodePacked(_head(0x8018, key, about, Moment({ time: 1, resetCount: 7, restartCount: 3 })), attested);
    }

    /// @notice TPMT_SIGNATURE, ECDSA with SHA-256.
    function signature(uint256 secret, bytes memory attestation) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = vm.signP256(secret, sha256(attestation));
        return abi.encodePacked(hex"0018000b0020", r, hex"0020", s);
    }

    function lowSigned(uint256 secret, bytes32 digest) internal pure returns (bytes32 r, bytes32 s) {
        (r, s) = vm.signP256(secret, digest);
        if (uint256(s) > P256.N / 2) s = bytes32(P256.N - uint256(s));
    }

    function _timeAttest(AttestationKey memory key, bytes32 about, Moment memory moment) private pure returns (bytes memory) {
        return abi.encodePacked(_head(0x8019, key, about, moment), moment.time, _clockInfo(moment), FIRMWARE);
    }

    function _head(bytes2 kind, AttestationKey memory key, bytes32 about, Moment memory moment) private pure returns (bytes memory) {
        bytes memory signer = _qualifiedName(key);
        return abi.encodePacked(hex"ff544347", kind, hex"0022", signer, hex"0020", about, _clockInfo(moment), FIRMWARE);
    }

    function _clockInfo(Moment memory moment) private pure returns (bytes memory) {
        return abi.encodePacked(uint64(moment.time + 1_000_000), moment.resetCount, moment.restartCount, hex"01");
    }

    function _qualifiedName(AttestationKey memory key) private pure returns (bytes memory) {
        bytes memory area = abi.encodePacked(hex"0023000b00050472000000100018000b00030010", hex"0020", key.x, hex"0020", key.y);
        bytes32 parent = sha256(abi.encodePacked(hex"4000000b", hex"000b", key.node));
        return abi.encodePacked(hex"000b", sha256(abi.encodePacked(hex"000b", parent, hex"000b", sha256(area))));
    }
}

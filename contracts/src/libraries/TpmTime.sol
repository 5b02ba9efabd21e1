// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey, AttestationKeys } from "./AttestationKey.sol";
import { Judgement } from "./Judgement.sol";
import { ClockInfo, TimeAttest, TpmAttest } from "./TpmAttest.sol";

/// @notice TPMS_ATTEST of TPM2_GetTime, with a signature of which there is one form: s in the lower half of the order (§11.1).
struct TimeCertificate {
    bytes attestation;
    bytes32 r;
    bytes32 s;
}

/// @notice `timeMs` since the TPM got power, and the counts and firmware under which it ran.
struct CertifiedTime {
    uint64 timeMs;
    ClockInfo clockInfo;
    uint64 firmwareVersion;
}

/// @title Certified time
/// @notice TPM2_GetTime over some qualifying data: what the network's chips sign on layer 1 with (§20). The verdict of
/// `protocol/chain/wait-certificate.ts` on the same bytes.
library TpmTime {
    error TimeRefused(Judgement reason);

    /// @dev In ms, as far as the network's other half counts.
    uint64 private constant TIME_MAX = 2 ** 53 - 1;

    /// @param qualifyingData what `extraData` must be
    function judge(AttestationKey memory key, TimeCertificate calldata certificate, bytes32 qualifyingData)
        internal
        view
        returns (Judgement judgement, CertifiedTime memory time)
    {
        TimeAttest memory attest;
        (judgement, attest) = TpmAttest.readTime(certificate.attestation);
        if (judgement != Judgement.Accepted) return (judgement, time);
        if (!key.hasSigned(sha256(certificate.attestation), certificate.r, certificate.s)) return (Judgement.SignatureWrong, time);
        if (!key.isQualifiedName(attest.head.qualifiedSigner)) return (Judgement.OtherSigner, time);
        if (keccak256(attest.head.extraData) != keccak256(abi.encodePacked(qualifyingData))) return (Judgement.OtherQualifyingData, time);
        if (_isObfuscated(attest)) return (Judgement.ObfuscatedClock, time);
        if (!AttestationKeys.isLow(certificate.s)) return (Judgement.SignatureNotLowS, time);
        if (attest.time > TIME_MAX) return (Judgement.TimeOutOfRange, time);
        time = CertifiedTime({ timeMs: attest.time, clockInfo: attest.clockInfo, firmwareVersion: attest.firmwareVersion });
    }

    /// @notice As `judge`; reverts with its reason where the certificate isn't accepted.
    function requireGood(AttestationKey memory key, TimeCertificate calldata certificate, bytes32 qualifyingData)
        internal
        view
        returns (CertifiedTime memory time)
    {
        Judgement judgement;
        (judgement, time) = judge(key, certificate, qualifyingData);
        if (judgement != Judgement.Accepted) revert TimeRefused(judgement);
    }

    /// @dev The outer ones are obfuscated for keys of the owner and null hierarchies (TPM 2.0 Part 1 section 36.7).
    function _isObfuscated(TimeAttest memory attest) private pure returns (bool) {
        ClockInfo memory outer = attest.head.clockInfo;
        ClockInfo memory inner = attest.clockInfo;
        return outer.resetCount != inner.resetCount || outer.restartCount != inner.restartCount
            || attest.head.firmwareVersion != attest.firmwareVersion;
    }
}

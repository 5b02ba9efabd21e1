// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What is wrong with something that a TPM signed: the reasons of `protocol/tpm/attestation.ts`, `quote.ts` and `certified-time.ts`.
enum Judgement {
    Accepted,
    Malformed,
    NotTpmGenerated,
    OtherKind,
    SignatureMalformed,
    SignatureScheme,
    SignatureWrong,
    OtherSigner,
    OtherQualifyingData,
    OtherPcrSelection,
    OtherPcrValues,
    PcrNotExtended,
    ObfuscatedClock
}

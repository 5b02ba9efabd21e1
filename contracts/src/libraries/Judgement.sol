// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What is wrong with something that a TPM signed: the reasons of `protocol/tpm/quote.ts` and, of times,
/// `protocol/chain/wait-certificate.ts`, in the order in which they are looked for.
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
    ObfuscatedClock,
    SignatureNotLowS,
    TimeOutOfRange
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "./AttestationKey.sol";
import { Judgement } from "./Judgement.sol";
import { ClockInfo, QuoteAttest, TpmAttest } from "./TpmAttest.sol";
import { TpmSignature } from "./TpmSignature.sol";

/// @notice TPMS_ATTEST and TPMT_SIGNATURE of TPM2_Quote, and the two registers that it only hashes.
struct Quote {
    bytes attestation;
    bytes signature;
    bytes32 pcr8;
    bytes32 pcr14;
}

/// @title Quotes over exactly PCRs 8 and 14 of the SHA-256 bank
/// @notice Specification §3.6 and §20; the verdict of `protocol/measured-quote.ts` on the same bytes.
library TpmQuote {
    error QuoteRefused(Judgement reason);

    /// @dev TPML_PCR_SELECTION: one bank, SHA-256, a mask of three bytes with 8 and 14. Equal, not contained: a TPM answers for a bank that it
    /// doesn't keep with an empty mask.
    bytes private constant SELECTION = hex"00000001000b03004100";

    /// @notice Magic and kind, signature, signer, qualifying data, selection, registers: in this order, and all of them.
    /// @param qualifyingData what `extraData` must be
    function judge(AttestationKey memory key, Quote calldata quote, bytes32 qualifyingData)
        internal
        view
        returns (Judgement judgement, ClockInfo memory clockInfo, uint64 firmwareVersion)
    {
        QuoteAttest memory attest;
        (judgement, attest) = TpmAttest.readQuote(quote.attestation);
        if (judgement != Judgement.Accepted) return (judgement, clockInfo, 0);
        bytes32 r;
        bytes32 s;
        (judgement, r, s) = TpmSignature.readEcdsaSha256(quote.signature);
        if (judgement != Judgement.Accepted) return (judgement, clockInfo, 0);
        if (!key.hasSigned(sha256(quote.attestation), r, s)) return (Judgement.SignatureWrong, clockInfo, 0);
        judgement = _judgeContent(key, quote, attest, qualifyingData);
        if (judgement == Judgement.Accepted) (clockInfo, firmwareVersion) = (attest.head.clockInfo, attest.head.firmwareVersion);
    }

    /// @notice As `judge`; reverts with its reason where the quote isn't accepted.
    function requireGood(AttestationKey memory key, Quote calldata quote, bytes32 qualifyingData)
        internal
        view
        returns (ClockInfo memory clockInfo, uint64 firmwareVersion)
    {
        Judgement judgement;
        (judgement, clockInfo, firmwareVersion) = judge(key, quote, qualifyingData);
        if (judgement != Judgement.Accepted) revert QuoteRefused(judgement);
    }

    function _judgeContent(AttestationKey memory key, Quote calldata quote, QuoteAttest memory attest, bytes32 qualifyingData)
        private
        pure
        returns (Judgement)
    {
        if (!key.isQualifiedName(attest.head.qualifiedSigner)) return Judgement.OtherSigner;
        if (!_equals(attest.head.extraData, abi.encodePacked(qualifyingData))) return Judgement.OtherQualifyingData;
        if (!_equals(attest.pcrSelection, SELECTION)) return Judgement.OtherPcrSelection;
        bytes32 registers = sha256(abi.encodePacked(quote.pcr8, quote.pcr14));
        if (!_equals(attest.pcrDigest, abi.encodePacked(registers))) return Judgement.OtherPcrValues;
        if (_neverExtended(quote.pcr8) || _neverExtended(quote.pcr14)) return Judgement.PcrNotExtended;
        return Judgement.Accepted;
    }

    function _neverExtended(bytes32 register) private pure returns (bool) {
        return register == 0 || register == bytes32(type(uint256).max);
    }

    function _equals(bytes memory left, bytes memory right) private pure returns (bool) {
        return keccak256(left) == keccak256(right);
    }
}

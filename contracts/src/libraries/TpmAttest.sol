// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Judgement } from "./Judgement.sol";

/// @notice TPMS_CLOCK_INFO. `clock` in ms can be set forward by the owner; `safe`: no value above it was ever reported.
struct ClockInfo {
    uint64 clock;
    uint32 resetCount;
    uint32 restartCount;
    bool safe;
}

/// @notice What every TPMS_ATTEST has. Counts and firmware version are obfuscated unless the signer is in the endorsement hierarchy.
struct AttestHead {
    bytes qualifiedSigner;
    bytes extraData;
    ClockInfo clockInfo;
    uint64 firmwareVersion;
}

/// @notice TPMS_ATTEST of TPM2_Quote; `pcrSelection` as encoded (TPML_PCR_SELECTION).
struct QuoteAttest {
    AttestHead head;
    bytes pcrSelection;
    bytes pcrDigest;
}

/// @notice TPMS_ATTEST of TPM2_GetTime. `time` in ms since the TPM got power; what is inside is plain for every key.
struct TimeAttest {
    AttestHead head;
    uint64 time;
    ClockInfo clockInfo;
    uint64 firmwareVersion;
}

/// @title TPMS_ATTEST, what a TPM signs about itself
/// @notice TPM 2.0 Part 2 section 10.12, read as strictly as `protocol/tpm/attest.ts`: magic first, then the kind, exact lengths, nothing after
/// the last field. Never reverts: who challenges bytes must be able to show that they are no attestation.
library TpmAttest {
    bytes4 internal constant GENERATED = 0xff544347;
    bytes2 internal constant QUOTE = 0x8018;
    bytes2 internal constant TIME = 0x8019;

    /// @dev The limits of `protocol/limits.ts`, in bytes; of banks, their number.
    uint256 private constant NAME_MAX = 66;
    uint256 private constant DATA_MAX = 66;
    uint256 private constant DIGEST_MAX = 64;
    uint256 private constant MASK_MAX = 4;
    uint256 private constant BANKS_MAX = 16;

    uint256 private constant CLOCK_INFO_BYTES = 17;

    /// @return judgement Accepted, NotTpmGenerated, OtherKind or Malformed
    function readQuote(bytes calldata attest) internal pure returns (Judgement judgement, QuoteAttest memory quote) {
        uint256 position;
        (judgement, quote.head, position) = _readHead(attest, QUOTE);
        if (judgement != Judgement.Accepted) return (judgement, quote);
        uint256 selectionEnd = _selectionEnd(attest, position);
        if (selectionEnd == 0) return (Judgement.Malformed, quote);
        uint256 digestEnd = sizedEnd(attest, selectionEnd, DIGEST_MAX);
        if (digestEnd == 0 || digestEnd != attest.length) return (Judgement.Malformed, quote);
        quote.pcrSelection = attest[position:selectionEnd];
        quote.pcrDigest = attest[selectionEnd + 2:digestEnd];
    }

    /// @return judgement Accepted, NotTpmGenerated, OtherKind or Malformed
    function readTime(bytes calldata attest) internal pure returns (Judgement judgement, TimeAttest memory time) {
        uint256 position;
        (judgement, time.head, position) = _readHead(attest, TIME);
        if (judgement != Judgement.Accepted) return (judgement, time);
        if (attest.length != position + 8 + CLOCK_INFO_BYTES + 8 || !_isYesNo(attest[position + 24])) return (Judgement.Malformed, time);
        time.time = uint64(bytes8(attest[position:position + 8]));
        time.clockInfo = _clockInfo(attest, position + 8);
        time.firmwareVersion = uint64(bytes8(attest[position + 25:position + 33]));
    }

    /// @notice The end of a 16-bit length and so many bytes; 0 where they aren't there, or are more than `max`.
    function sizedEnd(bytes calldata encoded, uint256 position, uint256 max) internal pure returns (uint256) {
        if (encoded.length < position + 2) return 0;
        uint256 length = uint16(bytes2(encoded[position:position + 2]));
        return length > max || encoded.length < position + 2 + length ? 0 : position + 2 + length;
    }

    /// @notice SHA-1, SHA-256, SHA-384 or SHA-512.
    function isHash(bytes2 algorithm) internal pure returns (bool) {
        return algorithm == 0x0004 || algorithm == 0x000b || algorithm == 0x000c || algorithm == 0x000d;
    }

    /// @return end where the attested part begins
    function _readHead(bytes calldata attest, bytes2 kind) private pure returns (Judgement, AttestHead memory head, uint256 end) {
        if (attest.length < 4 || bytes4(attest[:4]) != GENERATED) return (Judgement.NotTpmGenerated, head, 0);
        if (attest.length < 6) return (Judgement.Malformed, head, 0);
        if (bytes2(attest[4:6]) != kind) return (Judgement.OtherKind, head, 0);
        uint256 signerEnd = sizedEnd(attest, 6, NAME_MAX);
        if (signerEnd == 0) return (Judgement.Malformed, head, 0);
        uint256 dataEnd = sizedEnd(attest, signerEnd, DATA_MAX);
        if (dataEnd == 0) return (Judgement.Malformed, head, 0);
        end = dataEnd + CLOCK_INFO_BYTES + 8;
        if (attest.length < end || !_isYesNo(attest[dataEnd + 16])) return (Judgement.Malformed, head, 0);
        head.qualifiedSigner = attest[8:signerEnd];
        head.extraData = attest[signerEnd + 2:dataEnd];
        head.clockInfo = _clockInfo(attest, dataEnd);
        head.firmwareVersion = uint64(bytes8(attest[dataEnd + 17:end]));
        return (Judgement.Accepted, head, end);
    }

    /// @return the end of a TPML_PCR_SELECTION; 0 where there is none
    function _selectionEnd(bytes calldata attest, uint256 position) private pure returns (uint256) {
        if (attest.length < position + 4) return 0;
        uint256 banks = uint32(bytes4(attest[position:position + 4]));
        if (banks > BANKS_MAX) return 0;
        position += 4;
        for (uint256 i = 0; i < banks; i++) {
            if (attest.length < position + 3 || !isHash(bytes2(attest[position:position + 2]))) return 0;
            uint256 mask = uint8(attest[position + 2]);
            if (mask == 0 || mask > MASK_MAX || attest.length < position + 3 + mask) return 0;
            position += 3 + mask;
        }
        return position;
    }

    function _clockInfo(bytes calldata attest, uint256 position) private pure returns (ClockInfo memory) {
        return ClockInfo({
            clock: uint64(bytes8(attest[position:position + 8])),
            resetCount: uint32(bytes4(attest[position + 8:position + 12])),
            restartCount: uint32(bytes4(attest[position + 12:position + 16])),
            safe: attest[position + 16] != 0
        });
    }

    function _isYesNo(bytes1 value) private pure returns (bool) {
        return uint8(value) < 2;
    }
}

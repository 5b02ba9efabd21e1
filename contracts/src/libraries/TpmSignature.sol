// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Judgement } from "./Judgement.sol";
import { TpmAttest } from "./TpmAttest.sol";

/// @title TPMT_SIGNATURE
/// @notice TPM 2.0 Part 2 section 11.3.4, read as `protocol/tpm/signature.ts` does. Scheme and hash are those of the attestation key's public
/// area, never the signature's own.
library TpmSignature {
    bytes2 private constant RSASSA = 0x0014;
    bytes2 private constant RSAPSS = 0x0016;
    bytes2 private constant ECDSA = 0x0018;
    bytes2 private constant SHA256 = 0x000b;

    /// @dev The limits of `protocol/limits.ts`, in bytes.
    uint256 private constant RSA_MAX = 512;
    uint256 private constant ECC_PARAMETER_MAX = 66;

    /// @return judgement Accepted, SignatureMalformed or SignatureScheme
    /// @return r 32 bytes, even where the chip left out leading zeros
    /// @return s likewise; in either half of the order
    function readEcdsaSha256(bytes calldata signature) internal pure returns (Judgement judgement, bytes32 r, bytes32 s) {
        if (signature.length < 4) return (Judgement.SignatureMalformed, 0, 0);
        bytes2 scheme = bytes2(signature[:2]);
        bytes2 hash = bytes2(signature[2:4]);
        if (!TpmAttest.isHash(hash)) return (Judgement.SignatureMalformed, 0, 0);
        if (scheme == RSASSA || scheme == RSAPSS) {
            bool whole = TpmAttest.sizedEnd(signature, 4, RSA_MAX) == signature.length;
            return (whole ? Judgement.SignatureScheme : Judgement.SignatureMalformed, 0, 0);
        }
        uint256 rEnd = TpmAttest.sizedEnd(signature, 4, ECC_PARAMETER_MAX);
        if (scheme != ECDSA || rEnd == 0 || TpmAttest.sizedEnd(signature, rEnd, ECC_PARAMETER_MAX) != signature.length) {
            return (Judgement.SignatureMalformed, 0, 0);
        }
        if (hash != SHA256) return (Judgement.SignatureScheme, 0, 0);
        if (rEnd - 6 > 32 || signature.length - rEnd - 2 > 32) return (Judgement.SignatureMalformed, 0, 0);
        return (Judgement.Accepted, _leftPadded(signature[6:rEnd]), _leftPadded(signature[rEnd + 2:]));
    }

    function _leftPadded(bytes calldata number) private pure returns (bytes32) {
        return number.length == 0 ? bytes32(0) : bytes32(number) >> (8 * (32 - number.length));
    }
}

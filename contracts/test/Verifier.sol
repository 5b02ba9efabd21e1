// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../src/libraries/AttestationKey.sol";
import { BlockHeader, BlockHeaders } from "../src/libraries/BlockHeader.sol";
import { Judgement } from "../src/libraries/Judgement.sol";
import { RsaFdhVrf, VrfJudgement } from "../src/libraries/RsaFdhVrf.sol";
import { ClockInfo } from "../src/libraries/TpmAttest.sol";
import { Quote, TpmQuote } from "../src/libraries/TpmQuote.sol";
import { CertifiedTime, TimeCertificate, TpmTime } from "../src/libraries/TpmTime.sol";

/// @notice The libraries behind calls, as contracts use them: with calldata.
contract Verifier {
    function judgeQuote(AttestationKey calldata key, Quote calldata quote, bytes32 qualifyingData)
        external
        view
        returns (Judgement judgement, ClockInfo memory clockInfo, uint64 firmwareVersion)
    {
        return TpmQuote.judge(key, quote, qualifyingData);
    }

    function requireQuote(AttestationKey calldata key, Quote calldata quote, bytes32 qualifyingData) external view {
        TpmQuote.requireGood(key, quote, qualifyingData);
    }

    function judgeTime(AttestationKey calldata key, TimeCertificate calldata certificate, bytes32 qualifyingData)
        external
        view
        returns (Judgement judgement, CertifiedTime memory time)
    {
        return TpmTime.judge(key, certificate, qualifyingData);
    }

    function requireTime(AttestationKey calldata key, TimeCertificate calldata certificate, bytes32 qualifyingData) external view {
        TpmTime.requireGood(key, certificate, qualifyingData);
    }

    function judgeVrf(bytes calldata modulus, bytes calldata alpha, bytes calldata proof)
        external
        view
        returns (VrfJudgement judgement, bytes32 output)
    {
        return RsaFdhVrf.judge(modulus, alpha, proof);
    }

    function requireVrf(bytes calldata modulus, bytes calldata alpha, bytes calldata proof) external view returns (bytes32 output) {
        return RsaFdhVrf.requireGood(modulus, alpha, proof);
    }

    function readHeader(bytes calldata header) external pure returns (BlockHeader memory) {
        return BlockHeaders.read(header);
    }

    function hasSigned(AttestationKey calldata key, bytes32 digest, bytes32 r, bytes32 s) external view returns (bool) {
        AttestationKey memory given = key;
        return given.hasSigned(digest, r, s);
    }
}

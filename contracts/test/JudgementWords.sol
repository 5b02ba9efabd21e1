// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Judgement } from "../src/libraries/Judgement.sol";
import { VrfJudgement } from "../src/libraries/RsaFdhVrf.sol";

/// @title The protocol's words for judgements
library JudgementWords {
    function word(Judgement judgement) internal pure returns (string memory) {
        return [
            "accepted",
            "malformed",
            "not-tpm-generated",
            "other-kind",
            "signature-malformed",
            "signature-scheme",
            "signature-wrong",
            "other-signer",
            "other-qualifying-data",
            "other-pcr-selection",
            "other-pcr-values",
            "pcr-not-extended",
            "obfuscated-clock",
            "signature-not-low-s",
            "time-out-of-range"
        ][uint256(judgement)];
    }

    function word(VrfJudgement judgement) internal pure returns (string memory) {
        return ["accepted", "unusable-key", "proof-malformed", "proof-wrong"][uint256(judgement)];
    }
}

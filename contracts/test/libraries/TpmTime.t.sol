// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { Judgement } from "../../src/libraries/Judgement.sol";
import { CertifiedTime, TimeCertificate, TpmTime } from "../../src/libraries/TpmTime.sol";
import { Cases, SignedColumns } from "../Cases.sol";
import { JudgementWords } from "../JudgementWords.sol";
import { Verifier } from "../Verifier.sol";
import { vm } from "../Vm.sol";

/// @notice Certified time gets the verdict of `protocol/chain/wait-certificate.ts` (Specification §11.1, §20).
contract TpmTimeTest {
    using JudgementWords for Judgement;

    Verifier private verifier = new Verifier();

    struct Columns {
        SignedColumns signed;
        uint256[] timeMs;
        uint256[] resetCount;
        uint256[] restartCount;
    }

    function test_verdictsAreTheProtocolsNamed() external {
        _compare(Cases.named("times"), 100);
    }

    function test_verdictsAreTheProtocolsMutated() external {
        _compare(Cases.mutations("times"), 1);
    }

    /// @param word in the place of keys, signature and qualifying data
    function testFuzz_neverReverts(bytes calldata attestation, bytes32 word) external view {
        bytes memory generated = bytes.concat(hex"ff5443478019", attestation);
        (Judgement judgement,) = verifier.judgeTime(AttestationKey(word, word, word), TimeCertificate(generated, word, word), word);
        vm.assertTrue(judgement != Judgement.Accepted, "accepted");
    }

    function _compare(string memory json, uint256 casesMin) private {
        Columns memory columns = Columns({
            signed: Cases.signed(json),
            timeMs: Cases.numbers(json, "timeMs"),
            resetCount: Cases.numbers(json, "resetCount"),
            restartCount: Cases.numbers(json, "restartCount")
        });
        vm.assertGe(columns.signed.names.length, casesMin, "cases");
        for (uint256 i = 0; i < columns.signed.names.length; i++) {
            _compareOne(columns, i);
        }
    }

    function _compareOne(Columns memory columns, uint256 i) private {
        AttestationKey memory key = columns.signed.key(i);
        (bytes32 r, bytes32 s) = abi.decode(columns.signed.signature[i], (bytes32, bytes32));
        TimeCertificate memory certificate = TimeCertificate(columns.signed.attestation[i], r, s);
        (Judgement judgement, CertifiedTime memory time) = verifier.judgeTime(key, certificate, columns.signed.qualifyingData[i]);
        vm.assertEq(judgement.word(), columns.signed.verdict[i], columns.signed.names[i]);
        vm.assertEq(time.timeMs, columns.timeMs[i], columns.signed.names[i]);
        vm.assertEq(time.clockInfo.resetCount, columns.resetCount[i], columns.signed.names[i]);
        vm.assertEq(time.clockInfo.restartCount, columns.restartCount[i], columns.signed.names[i]);
        if (judgement != Judgement.Accepted) vm.expectRevert(abi.encodeWithSelector(TpmTime.TimeRefused.selector, judgement));
        verifier.requireTime(key, certificate, columns.signed.qualifyingData[i]);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { Judgement } from "../../src/libraries/Judgement.sol";
import { CertifiedTime, TimeCertificate, TpmTime } from "../../src/libraries/TpmTime.sol";
import { Cases } from "../Cases.sol";
import { JudgementWords } from "../JudgementWords.sol";
import { Verifier } from "../Verifier.sol";
import { vm } from "../Vm.sol";

/// @notice Certified time gets the verdict of `protocol/chain/wait-certificate.ts` (Specification §11.1, §20).
contract TpmTimeTest {
    using JudgementWords for Judgement;

    Verifier private verifier = new Verifier();

    function test_verdictsAreTheProtocolsNamed() external {
        _compare(Cases.named("times"), 100);
    }

    function test_verdictsAreTheProtocolsMutated() external {
        _compare(Cases.mutations("times"), 1);
    }

    function testFuzz_neverReverts(bytes calldata attestation, bytes32 any) external view {
        bytes memory generated = bytes.concat(hex"ff5443478019", attestation);
        (Judgement judgement,) = verifier.judgeTime(AttestationKey(any, any, any), TimeCertificate(generated, any, any), any);
        vm.assertTrue(judgement != Judgement.Accepted, "accepted");
    }

    function _compare(string memory json, uint256 casesMin) private {
        string[] memory names = Cases.text(json, "name");
        bytes32[] memory node = Cases.words(json, "node");
        bytes32[] memory x = Cases.words(json, "x");
        bytes32[] memory y = Cases.words(json, "y");
        bytes[] memory attestation = Cases.content(json, "attestation");
        bytes[] memory signature = Cases.content(json, "signature");
        bytes32[] memory qualifyingData = Cases.words(json, "qualifyingData");
        string[] memory verdict = Cases.text(json, "verdict");
        uint256[] memory timeMs = Cases.numbers(json, "timeMs");
        uint256[] memory resetCount = Cases.numbers(json, "resetCount");
        uint256[] memory restartCount = Cases.numbers(json, "restartCount");
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            AttestationKey memory key = AttestationKey(node[i], x[i], y[i]);
            (bytes32 r, bytes32 s) = abi.decode(signature[i], (bytes32, bytes32));
            TimeCertificate memory certificate = TimeCertificate(attestation[i], r, s);
            (Judgement judgement, CertifiedTime memory time) = verifier.judgeTime(key, certificate, qualifyingData[i]);
            vm.assertEq(judgement.word(), verdict[i], names[i]);
            vm.assertEq(time.timeMs, timeMs[i], names[i]);
            vm.assertEq(time.clockInfo.resetCount, resetCount[i], names[i]);
            vm.assertEq(time.clockInfo.restartCount, restartCount[i], names[i]);
            if (judgement != Judgement.Accepted) vm.expectRevert(abi.encodeWithSelector(TpmTime.TimeRefused.selector, judgement));
            verifier.requireTime(key, certificate, qualifyingData[i]);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { Judgement } from "../../src/libraries/Judgement.sol";
import { ClockInfo } from "../../src/libraries/TpmAttest.sol";
import { Quote, TpmQuote } from "../../src/libraries/TpmQuote.sol";
import { Cases, SignedColumns } from "../Cases.sol";
import { JudgementWords } from "../JudgementWords.sol";
import { Verifier } from "../Verifier.sol";
import { vm } from "../Vm.sol";

/// @notice A quote gets the verdict of `protocol/measured-quote.ts` (Specification §3.6, §20).
contract TpmQuoteTest {
    using JudgementWords for Judgement;

    Verifier private verifier = new Verifier();

    AttestationKey private goodKey;
    Quote private good;
    bytes32 private goodQualifyingData;

    struct Columns {
        SignedColumns signed;
        bytes32[] pcr8;
        bytes32[] pcr14;
    }

    function setUp() external {
        Columns memory columns = _columns(Cases.named("quotes"));
        (goodKey, good, goodQualifyingData) = (columns.signed.key(0), _quote(columns, 0), columns.signed.qualifyingData[0]);
    }

    function test_verdictsAreTheProtocolsNamed() external view {
        _compare(Cases.named("quotes"), 170);
    }

    function test_verdictsAreTheProtocolsMutated() external view {
        _compare(Cases.mutations("quotes"), 1);
    }

    function test_whatIsRefusedRevertsWithItsReason() external {
        Columns memory columns = _columns(Cases.named("quotes"));
        for (uint256 i = 0; i < columns.signed.names.length; i++) {
            (Judgement judgement,,) = verifier.judgeQuote(columns.signed.key(i), _quote(columns, i), columns.signed.qualifyingData[i]);
            if (judgement != Judgement.Accepted) vm.expectRevert(abi.encodeWithSelector(TpmQuote.QuoteRefused.selector, judgement));
            verifier.requireQuote(columns.signed.key(i), _quote(columns, i), columns.signed.qualifyingData[i]);
        }
    }

    function test_countsAndFirmwareAreThoseOfTheQuote() external view {
        Columns memory columns = _columns(Cases.named("quotes"));
        for (uint256 i = 0; i < columns.signed.names.length; i++) {
            if (keccak256(bytes(columns.signed.names[i])) != keccak256("clock not safe")) continue;
            (, ClockInfo memory clockInfo, uint64 firmwareVersion) =
                verifier.judgeQuote(columns.signed.key(i), _quote(columns, i), columns.signed.qualifyingData[i]);
            vm.assertEq(abi.encode(clockInfo), abi.encode(ClockInfo(0, type(uint32).max, type(uint32).max, false)), "clock");
            vm.assertEq(firmwareVersion, 0x0007_0002_0001_0000, "firmware");
            return;
        }
        vm.assertTrue(false, "no such case");
    }

    /// @dev Foreign bytes are judged, whatever they are: a challenge can't be made to revert.
    /// @param word in the place of keys, registers and qualifying data
    function testFuzz_neverReverts(bytes calldata attestation, bytes calldata signature, bytes32 word) external view {
        bytes memory generated = bytes.concat(hex"ff5443478018", attestation);
        (Judgement judgement,,) = verifier.judgeQuote(AttestationKey(word, word, word), Quote(generated, signature, word, word), word);
        vm.assertTrue(judgement != Judgement.Accepted, "accepted");
        (judgement,,) = verifier.judgeQuote(AttestationKey(word, word, word), Quote(attestation, signature, word, word), word);
        vm.assertTrue(judgement != Judgement.Accepted, "accepted");
    }

    /// @dev A call that runs out of gas has no verdict: a good quote can't be made to look wrong.
    function testFuzz_littleGasRefusesNothing(uint256 gas) external view {
        try verifier.judgeQuote{ gas: gas % 300_000 }(goodKey, good, goodQualifyingData) returns (
            Judgement judgement, ClockInfo memory, uint64
        ) {
            vm.assertEq(judgement.word(), "accepted", "judgement");
        } catch { }
    }

    function _compare(string memory json, uint256 casesMin) private view {
        Columns memory columns = _columns(json);
        vm.assertGe(columns.signed.names.length, casesMin, "cases");
        for (uint256 i = 0; i < columns.signed.names.length; i++) {
            (Judgement judgement,,) = verifier.judgeQuote(columns.signed.key(i), _quote(columns, i), columns.signed.qualifyingData[i]);
            vm.assertEq(judgement.word(), columns.signed.verdict[i], columns.signed.names[i]);
        }
    }

    function _columns(string memory json) private pure returns (Columns memory) {
        return Columns({ signed: Cases.signed(json), pcr8: Cases.words(json, "pcr8"), pcr14: Cases.words(json, "pcr14") });
    }

    function _quote(Columns memory columns, uint256 i) private pure returns (Quote memory) {
        return Quote(columns.signed.attestation[i], columns.signed.signature[i], columns.pcr8[i], columns.pcr14[i]);
    }
}

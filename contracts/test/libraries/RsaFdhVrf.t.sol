// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RsaFdhVrf, VrfJudgement } from "../../src/libraries/RsaFdhVrf.sol";
import { Cases } from "../Cases.sol";
import { JudgementWords } from "../JudgementWords.sol";
import { Verifier } from "../Verifier.sol";
import { vm } from "../Vm.sol";

/// @notice Proofs get the verdict of `protocol/tpm/vrf.ts` (Specification §3.9; RFC 9381 section 4).
contract RsaFdhVrfTest {
    using JudgementWords for VrfJudgement;

    Verifier private verifier = new Verifier();
    bytes private modulus;
    bytes private alpha;
    bytes private proof;

    function setUp() external {
        string memory json = Cases.named("vrf");
        modulus = Cases.content(json, "modulus")[2];
        alpha = Cases.content(json, "alpha")[2];
        proof = Cases.content(json, "proof")[2];
    }

    function test_verdictsAreTheProtocolsNamed() external {
        _compare(Cases.named("vrf"), 50);
    }

    function test_verdictsAreTheProtocolsMutated() external {
        _compare(Cases.mutations("vrf"), 1);
    }

    function testFuzz_neverReverts(bytes calldata anyModulus, bytes calldata anyAlpha, bytes calldata anyProof) external view {
        (VrfJudgement judgement,) = verifier.judgeVrf(anyModulus, anyAlpha, anyProof);
        vm.assertTrue(judgement != VrfJudgement.Accepted, "accepted");
    }

    /// @dev A call that runs out of gas has no verdict: a good proof can't be made to look wrong.
    function testFuzz_littleGasRefusesNothing(uint256 gas) external view {
        try verifier.judgeVrf{ gas: gas % 60_000 }(modulus, alpha, proof) returns (VrfJudgement judgement, bytes32) {
            vm.assertEq(judgement.word(), "accepted", "judgement");
        } catch { }
    }

    function _compare(string memory json, uint256 casesMin) private {
        string[] memory names = Cases.text(json, "name");
        bytes[] memory moduluss = Cases.content(json, "modulus");
        bytes[] memory alphas = Cases.content(json, "alpha");
        bytes[] memory proofs = Cases.content(json, "proof");
        string[] memory verdict = Cases.text(json, "verdict");
        bytes32[] memory output = Cases.words(json, "output");
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            (VrfJudgement judgement, bytes32 computed) = verifier.judgeVrf(moduluss[i], alphas[i], proofs[i]);
            vm.assertEq(judgement.word(), verdict[i], names[i]);
            vm.assertEq(computed, output[i], names[i]);
            if (judgement != VrfJudgement.Accepted) vm.expectRevert(abi.encodeWithSelector(RsaFdhVrf.ProofRefused.selector, judgement));
            verifier.requireVrf(moduluss[i], alphas[i], proofs[i]);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MeasuredKind } from "../../src/interfaces/IReleases.sol";
import { ShownMember } from "../../src/interfaces/IAnchors.sol";
import { IVerdictDisputes, Refutation, ShownVerdict } from "../../src/interfaces/IVerdictDisputes.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { Domain } from "../../src/libraries/Domain.sol";
import { JudgeDraw, ShownCredit } from "../../src/libraries/JudgeDraw.sol";
import { Word } from "../../src/libraries/Leaves.sol";
import { MeasuredEvent, MemberEvidence } from "../../src/libraries/MemberEvidence.sol";
import { Quote } from "../../src/libraries/TpmQuote.sol";
import { vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @notice What can be proven against a verdict. Specification §20.6.
contract VerdictDisputesTest is Network {
    uint64 private constant SUBJECT = 3;
    uint64 private constant SLOT = 11;

    bytes32 private node;
    bytes32[] private ordered;
    AnchorHeader private header;

    function setUp() public {
        found(9, 9);
        node = members[SUBJECT].node;
        ordered = inOrder();
        release(MeasuredKind.Firmware, "firmware");
        release(MeasuredKind.Addon, "addon");
        release(MeasuredKind.Board, "board");
    }

    function test_aJudgeThatWasNotDrawnRefutes() public {
        bytes32[] memory judges = committee(0, 1, 4);
        decide(Word.Trusted, 0, judges);
        refuteDraw(judges, 2, witnesses(0, 1, 2));
        vm.assertEq(uint256(verdictDisputes.refutationOf(1, node)), uint256(Refutation.JudgeNotDrawn), "refuted");
    }

    function test_theDrawnCommitteeIsNotRefuted(uint256 judge, uint256 witness) public {
        bytes32[] memory judges = committee(0, 1, 2);
        decide(Word.Trusted, 0, judges);
        ShownCredit[] memory shown = witnesses(0, 1, 3 + witness % 5);
        vm.expectPartialRevert(JudgeDraw.WitnessProvesNothing.selector);
        this.refuteDrawExternal(judges, judge % 3, shown);
    }

    function test_aJudgeWithoutTheRightRefutes() public {
        bytes32[] memory judges = committee(0, 1, 2);
        uint64 unfit = indexOf(judges[1]);
        credits[unfit].eligible = false;
        finalNext();
        verdicts[SUBJECT].drawnFrom = 1;
        // Epoch 1 has another seed: the first three that are left, and the unfit one in its place of the order.
        bytes32[] memory drawn = orderBySeed(headers[1].seed);
        uint256 place = 0;
        while (drawn[place] != members[unfit].node) place++;
        bytes32[] memory claimed = new bytes32[](1);
        claimed[0] = drawn[place];
        decide(Word.Trusted, 0, claimed);
        ShownCredit[] memory shown = new ShownCredit[](1);
        shown[0] = shownCredit(unfit);
        verdictDisputes.refuteDraw(header, shownVerdict(SUBJECT), headers[1], claimed, 0, shown);
        vm.assertEq(uint256(verdictDisputes.refutationOf(2, node)), uint256(Refutation.JudgeNotDrawn), "refuted");
    }

    function test_theSubjectAmongItsJudgesRefutes() public {
        bytes32[] memory judges = committee(0, 1, 2);
        judges[2] = node;
        decide(Word.Trusted, 0, judges);
        refuteDraw(judges, 2, new ShownCredit[](0));
    }

    function test_moreJudgesThanAreDrawnRefute() public {
        bytes32[] memory judges = new bytes32[](4);
        for (uint256 i = 0; i < 4; i++) {
            judges[i] = ordered[i];
        }
        decide(Word.Trusted, 0, judges);
        refuteDraw(judges, 0, new ShownCredit[](0));
    }

    function test_aJudgeTwiceRefutes() public {
        bytes32[] memory judges = committee(0, 1, 1);
        decide(Word.Trusted, 0, judges);
        refuteDraw(judges, 2, new ShownCredit[](0));
    }

    function test_witnessesAreEachOfThemOthers() public {
        bytes32[] memory judges = committee(0, 1, 4);
        decide(Word.Trusted, 0, judges);
        ShownCredit[] memory shown = witnesses(0, 1, 2);
        shown[2] = shown[1];
        vm.expectRevert(abi.encodeWithSelector(JudgeDraw.WitnessesUnordered.selector, shown[1].index));
        this.refuteDrawExternal(judges, 2, shown);
    }

    function test_aWitnessBehindTheJudgeProvesNothing() public {
        bytes32[] memory judges = committee(0, 1, 3);
        decide(Word.Trusted, 0, judges);
        ShownCredit[] memory shown = witnesses(0, 1, 4);
        vm.expectRevert(abi.encodeWithSelector(JudgeDraw.WitnessProvesNothing.selector, ordered[4]));
        this.refuteDrawExternal(judges, 2, shown);
    }

    function test_fewerWitnessesThanJudgesProveNothing() public {
        bytes32[] memory judges = committee(0, 1, 4);
        decide(Word.Trusted, 0, judges);
        ShownCredit[] memory shown = new ShownCredit[](2);
        (shown[0], shown[1]) = (witnesses(0, 1, 2)[0], witnesses(0, 1, 2)[1]);
        vm.expectRevert(abi.encodeWithSelector(JudgeDraw.TooFewWitnesses.selector, 2, 3));
        this.refuteDrawExternal(judges, 2, shown);
    }

    function test_otherJudgesThanTheLeafsAreRefused() public {
        bytes32[] memory judges = committee(0, 1, 4);
        decide(Word.Trusted, 0, judges);
        ShownCredit[] memory shown = witnesses(0, 1, 2);
        bytes32 wanted = verdicts[SUBJECT].judges;
        judges[0] = ordered[7];
        vm.expectRevert(abi.encodeWithSelector(IVerdictDisputes.OtherJudges.selector, judgesDigest(judges), wanted));
        this.refuteDrawExternal(judges, 2, shown);
    }

    function test_trustInFirmwareOfNoReleaseIsRefuted() public {
        MemberEvidence memory evidence = evidenceOf("other firmware");
        decideOn(Word.Trusted, evidence);
        refuteByEvidence(evidence);
        vm.assertEq(uint256(verdictDisputes.refutationOf(1, node)), uint256(Refutation.ContradictedByEvidence), "refuted");
    }

    function test_trustInGoodEvidenceStands() public {
        MemberEvidence memory evidence = evidenceOf("firmware");
        decideOn(Word.Trusted, evidence);
        vm.expectRevert(abi.encodeWithSelector(IVerdictDisputes.EvidenceAgrees.selector, node));
        this.refuteByEvidenceExternal(evidence);
    }

    function test_distrustOfGoodEvidenceIsRefuted() public {
        MemberEvidence memory evidence = evidenceOf("firmware");
        decideOn(Word.Untrusted, evidence);
        refuteByEvidence(evidence);
    }

    function test_distrustOfBadEvidenceStands() public {
        MemberEvidence memory evidence = evidenceOf("other firmware");
        decideOn(Word.Untrusted, evidence);
        vm.expectRevert(abi.encodeWithSelector(IVerdictDisputes.EvidenceAgrees.selector, node));
        this.refuteByEvidenceExternal(evidence);
    }

    function test_evidenceThatAnybodyCouldHaveMadeCarriesNeitherWord() public {
        MemberEvidence memory evidence = evidenceOf("other firmware");
        evidence.quote.signature = Chips.signature(secretOf(5), evidence.quote.attestation);
        decideOn(Word.Untrusted, evidence);
        refuteByEvidence(evidence);
        verdicts[SUBJECT].word = Word.Trusted;
        header = finalNext();
        refuteByEvidence(evidence);
    }

    function test_trustThatOutlivedAReleaseIsRefuted() public {
        MemberEvidence memory evidence = evidenceOf("firmware");
        verdicts[SUBJECT].judgedAtMs = uint64(block.timestamp + 400 days) * 1000;
        decideAt(Word.Trusted, evidence);
        refuteByEvidence(evidence);
    }

    function test_eachKindIsMeasuredOnce() public {
        MemberEvidence memory evidence = evidenceOf("firmware");
        evidence.eventLog[1] = evidence.eventLog[0];
        seal(evidence);
        decideOn(Word.Trusted, evidence);
        refuteByEvidence(evidence);
    }

    function test_registersThatTheLogDoesNotGiveRefuteTrust() public {
        MemberEvidence memory evidence = evidenceOf("firmware");
        evidence.eventLog[2].digest = keccak256("another board");
        decideOn(Word.Trusted, evidence);
        refuteByEvidence(evidence);
    }

    function test_anotherOperationalKeyInRegister8RefutesTrust() public {
        MemberEvidence memory evidence = evidenceOf("firmware");
        evidence.quote.pcr8 = keccak256("another");
        sign(evidence);
        decideOn(Word.Trusted, evidence);
        refuteByEvidence(evidence);
    }

    function test_onlyTheEvidenceOfTheLeafCounts() public {
        decideOn(Word.Trusted, evidenceOf("firmware"));
        MemberEvidence memory other = evidenceOf("other firmware");
        vm.expectPartialRevert(IVerdictDisputes.OtherEvidence.selector);
        this.refuteByEvidenceExternal(other);
    }

    function test_silenceIsNotJudgedByEvidence() public {
        MemberEvidence memory evidence = evidenceOf("other firmware");
        decideOn(Word.Unreachable, evidence);
        vm.expectRevert(abi.encodeWithSelector(IVerdictDisputes.EvidenceAgrees.selector, node));
        this.refuteByEvidenceExternal(evidence);
    }

    function refuteDrawExternal(bytes32[] calldata judges, uint256 judge, ShownCredit[] calldata shown) external {
        refuteDraw(judges, judge, shown);
    }

    function refuteByEvidenceExternal(MemberEvidence calldata evidence) external {
        refuteByEvidence(evidence);
    }

    function refuteDraw(bytes32[] memory judges, uint256 judge, ShownCredit[] memory shown) private {
        verdictDisputes.refuteDraw(header, shownVerdict(SUBJECT), headers[0], judges, judge, shown);
    }

    function refuteByEvidence(MemberEvidence memory evidence) private {
        verdictDisputes.refuteByEvidence(header, shownVerdict(SUBJECT), shownMember(SUBJECT), evidence);
    }

    function decide(Word word, bytes32 evidence, bytes32[] memory judges) private {
        verdicts[SUBJECT].slot = SLOT;
        verdicts[SUBJECT].word = word;
        verdicts[SUBJECT].evidence = evidence;
        verdicts[SUBJECT].judges = judgesDigest(judges);
        header = finalNext();
    }

    function decideOn(Word word, MemberEvidence memory evidence) private {
        verdicts[SUBJECT].judgedAtMs = uint64(block.timestamp + 10 days) * 1000;
        decideAt(word, evidence);
    }

    function decideAt(Word word, MemberEvidence memory evidence) private {
        decide(word, evidenceDigest(evidence), committee(0, 1, 2));
    }

    function release(MeasuredKind kind, string memory what) private {
        uint64 from = uint64(block.timestamp) + 1 days;
        vm.prank(address(timelock));
        releases.add(kind, keccak256(bytes(what)), 0, from, from + 365 days);
    }

    function evidenceOf(string memory firmware) private view returns (MemberEvidence memory evidence) {
        evidence.eventLog = new MeasuredEvent[](3);
        evidence.eventLog[0] = MeasuredEvent(MeasuredKind.Firmware, keccak256(bytes(firmware)));
        evidence.eventLog[1] = MeasuredEvent(MeasuredKind.Addon, keccak256("addon"));
        evidence.eventLog[2] = MeasuredEvent(MeasuredKind.Board, keccak256("board"));
        (evidence.checkpoint, evidence.blockId, evidence.operationalKey) = (12, keccak256("checkpoint"), keccak256("key"));
        seal(evidence);
    }

    /// @dev Registers as a TPM extends them, then the quote.
    function seal(MemberEvidence memory evidence) private view {
        string[3] memory words = ["firmware", "addon", "board"];
        bytes32 pcr14;
        for (uint256 i = 0; i < 3; i++) {
            MeasuredEvent memory entry = evidence.eventLog[i];
            bytes memory parts = abi.encodePacked(Domain.part(bytes(words[uint256(entry.kind)])), Domain.part(entry.digest));
            pcr14 = sha256(abi.encodePacked(pcr14, Domain.digest("measured-event", parts)));
        }
        bytes32 key = Domain.digest("operational-key", Domain.part(evidence.operationalKey));
        bytes32 cap = sha256("capstan/1/operational-key\x00\x00\x00\x00\x03cap");
        evidence.quote.pcr8 = sha256(abi.encodePacked(sha256(abi.encodePacked(bytes32(0), key)), cap));
        evidence.quote.pcr14 = pcr14;
        sign(evidence);
    }

    function sign(MemberEvidence memory evidence) private view {
        bytes memory about = abi.encodePacked(
            Domain.part(NETWORK),
            Domain.part(evidence.checkpoint),
            Domain.part(evidence.blockId),
            Domain.part(node),
            Domain.part(evidence.operationalKey)
        );
        bytes32 qualifyingData = Domain.digest("member-evidence", about);
        Quote memory quote = evidence.quote;
        quote.attestation = Chips.quote(keyOf(SUBJECT), qualifyingData, quote.pcr8, quote.pcr14);
        quote.signature = Chips.signature(secretOf(SUBJECT), quote.attestation);
    }

    function evidenceDigest(MemberEvidence memory evidence) private pure returns (bytes32) {
        bytes memory log;
        string[3] memory words = ["firmware", "addon", "board"];
        for (uint256 i = 0; i < evidence.eventLog.length; i++) {
            MeasuredEvent memory entry = evidence.eventLog[i];
            log = abi.encodePacked(log, Domain.part(bytes(words[uint256(entry.kind)])), Domain.part(entry.digest));
        }
        bytes memory quote = abi.encodePacked(
            Domain.part(sha256(evidence.quote.attestation)),
            Domain.part(sha256(evidence.quote.signature)),
            Domain.part(evidence.quote.pcr8),
            Domain.part(evidence.quote.pcr14)
        );
        bytes memory about =
            abi.encodePacked(Domain.part(evidence.checkpoint), Domain.part(evidence.blockId), Domain.part(evidence.operationalKey));
        bytes32 eventLog = Domain.digest("anchor-event-log", log);
        return Domain.digest("anchor-evidence", abi.encodePacked(quote, Domain.part(eventLog), about));
    }

    function judgesDigest(bytes32[] memory judges) private pure returns (bytes32) {
        bytes memory parts;
        for (uint256 i = 0; i < judges.length; i++) {
            parts = abi.encodePacked(parts, Domain.part(judges[i]));
        }
        return Domain.digest("anchor-judges", parts);
    }

    function committee(uint256 first, uint256 second, uint256 third) private view returns (bytes32[] memory judges) {
        judges = new bytes32[](3);
        (judges[0], judges[1], judges[2]) = (ordered[first], ordered[second], ordered[third]);
    }

    /// @dev In the order of their indices.
    function witnesses(uint256 first, uint256 second, uint256 third) private view returns (ShownCredit[] memory shown) {
        uint256[3] memory places = [first, second, third];
        shown = new ShownCredit[](3);
        uint256 length = 0;
        for (uint64 i = 0; i < members.length; i++) {
            for (uint256 j = 0; j < 3; j++) {
                if (members[i].node == ordered[places[j]] && length < 3) shown[length++] = shownCredit(i);
            }
        }
    }

    function indexOf(bytes32 wanted) private view returns (uint64 index) {
        while (members[index].node != wanted) index++;
    }

    function inOrder() private view returns (bytes32[] memory) {
        return orderBySeed(headers[0].seed);
    }

    /// @dev All but the subject, by insertion.
    function orderBySeed(bytes32 seed) private view returns (bytes32[] memory nodes) {
        bytes memory about = abi.encodePacked(Domain.part(NETWORK), Domain.part(seed), Domain.part(node), Domain.part(SLOT));
        bytes32 draw = Domain.digest("verdict-committee", about);
        nodes = new bytes32[](members.length - 1);
        bytes32[] memory orders = new bytes32[](nodes.length);
        uint256 length = 0;
        for (uint256 i = 0; i < members.length; i++) {
            if (members[i].node == node) continue;
            bytes32 order = Domain.digest("committee-order", abi.encodePacked(Domain.part(draw), Domain.part(members[i].node)));
            uint256 place = length++;
            for (; place > 0 && orders[place - 1] > order; place--) {
                (orders[place], nodes[place]) = (orders[place - 1], nodes[place - 1]);
            }
            (orders[place], nodes[place]) = (order, members[i].node);
        }
    }
}

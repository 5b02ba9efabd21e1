// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IAnchors, ShownMember } from "../../src/interfaces/IAnchors.sol";
import { Fault, INodeDisputes, SignedAnchor } from "../../src/interfaces/INodeDisputes.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { CompactTime } from "../../src/libraries/CompactTime.sol";
import { Domain } from "../../src/libraries/Domain.sol";
import { Judgement } from "../../src/libraries/Judgement.sol";
import { Standing } from "../../src/libraries/Leaves.sol";
import { TpmTime } from "../../src/libraries/TpmTime.sol";
import { BareBlock, TwoBlocks } from "../../src/libraries/TwoBlocks.sol";
import { vm } from "../Vm.sol";
import { Chips, Moment } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @notice What can be proven against a node. Specification §20.6 and §12.6.
contract NodeDisputesTest is Network {
    bytes32 private node;

    function setUp() public {
        found(5, 4);
        node = members[1].node;
    }

    function test_twoAnchorsOfOneEpochMarkWhoVotedForBoth() public {
        (AnchorHeader memory first, AnchorHeader memory second) = rivals();
        proveTwoAnchors(1, first, second);
        vm.assertEq(uint256(nodeDisputes.markOf(node).fault), uint256(Fault.TwoAnchors), "fault");
        vm.assertEq(nodeDisputes.markOf(node).prover, challenger, "prover");
        for (uint64 i = 0; i < 5; i++) {
            if (i != 1) vm.assertEq(uint256(nodeDisputes.markOf(members[i].node).fault), 0, "nobody else");
        }
    }

    function test_oneAnchorTwiceIsNoFault() public {
        (AnchorHeader memory first,) = rivals();
        vm.expectRevert(abi.encodeWithSelector(INodeDisputes.SameAnchor.selector, anchors.digestOf(first)));
        this.proveExternal(1, first, first);
    }

    function test_anchorsOfTwoEpochsAreNoFault() public {
        (AnchorHeader memory first, AnchorHeader memory second) = rivals();
        second.epoch = 2;
        vm.expectRevert(abi.encodeWithSelector(INodeDisputes.NotOfOneEpoch.selector, 1, 2));
        this.proveExternal(1, first, second);
    }

    function test_anAnchorAfterARecoveryIsNoFault() public {
        (AnchorHeader memory first, AnchorHeader memory second) = rivals();
        second.previous = keccak256("that of a recovery");
        vm.expectRevert(abi.encodeWithSelector(INodeDisputes.NotOfOneEpoch.selector, 1, 1));
        this.proveExternal(1, first, second);
    }

    function test_twoMembersAnchorsAreNoFaultOfEither() public {
        (AnchorHeader memory first, AnchorHeader memory second) = rivals();
        ShownMember memory member = shownMember(1);
        SignedAnchor memory left = SignedAnchor({ header: first, vote: voteOf(1, first) });
        SignedAnchor memory right = SignedAnchor({ header: second, vote: voteOf(2, second) });
        vm.expectRevert(abi.encodeWithSelector(CompactTime.NotSigned.selector, node, anchors.digestOf(second)));
        nodeDisputes.proveTwoAnchors(headers[0], member, left, right);
    }

    function test_aMemberIsShownByAFinalAnchorOnly() public {
        AnchorHeader memory open = postNext();
        (AnchorHeader memory first, AnchorHeader memory second) = rivals();
        ShownMember memory member = shownMember(1);
        SignedAnchor memory left = SignedAnchor({ header: first, vote: voteOf(1, first) });
        SignedAnchor memory right = SignedAnchor({ header: second, vote: voteOf(1, second) });
        vm.expectRevert(abi.encodeWithSelector(IAnchors.NotFinal.selector, 1, 0));
        nodeDisputes.proveTwoAnchors(open, member, left, right);
    }

    function test_aFaultIsProvenOnce() public {
        (AnchorHeader memory first, AnchorHeader memory second) = rivals();
        proveTwoAnchors(1, first, second);
        vm.expectRevert(abi.encodeWithSelector(INodeDisputes.AlreadyMarked.selector, node, Fault.TwoAnchors));
        this.proveExternal(1, first, second);
    }

    function test_whomTheMembersHaveExpelledIsMarked() public {
        members[4].standing = Standing.Expelled;
        AnchorHeader memory header = finalNext();
        nodeDisputes.proveExpelled(header, shownMember(4));
        vm.assertEq(uint256(nodeDisputes.markOf(members[4].node).fault), uint256(Fault.Expelled), "fault");
        ShownMember memory seat = shownMember(1);
        vm.expectRevert(abi.encodeWithSelector(INodeDisputes.NotExpelled.selector, node));
        nodeDisputes.proveExpelled(header, seat);
    }

    function test_twoBlocksOfOneHeightInOneSecondMarkTheirMaker() public {
        proveTwoBlocks(blockOf(1, 9, "a", 100, 160), blockOf(1, 9, "b", 159, 220));
        vm.assertEq(uint256(nodeDisputes.markOf(node).fault), uint256(Fault.TwoBlocks), "fault");
    }

    function test_waitsOneAfterTheOtherAreNoFault() public {
        BareBlock memory first = blockOf(1, 9, "a", 100, 160);
        BareBlock memory second = blockOf(1, 9, "b", 160, 220);
        vm.expectRevert(TwoBlocks.WaitsApart.selector);
        this.proveBlocksExternal(first, second);
        vm.expectRevert(TwoBlocks.WaitsApart.selector);
        this.proveBlocksExternal(second, first);
    }

    function test_waitsOfTwoBootsAreNoFault() public {
        BareBlock memory first = blockOf(1, 9, "a", 100, 160);
        BareBlock memory second = blockAt(1, 9, "b", Moment(100, 8, 0), Moment(160, 8, 0));
        vm.expectRevert(TwoBlocks.WaitsApart.selector);
        this.proveBlocksExternal(first, second);
    }

    function test_whetherWaitsOverlapFollowsTheirTimes(uint32 start, uint32 wait, uint32 otherStart, uint32 otherWait) public {
        uint64 end = uint64(start) + wait;
        uint64 otherEnd = uint64(otherStart) + otherWait;
        BareBlock memory first = blockOf(1, 9, "a", start, end);
        BareBlock memory second = blockOf(1, 9, "b", otherStart, otherEnd);
        bool apart = otherStart >= end || start >= otherEnd;
        if (apart) vm.expectRevert(TwoBlocks.WaitsApart.selector);
        this.proveBlocksExternal(first, second);
    }

    function test_oneBlockTwiceIsNoFault() public {
        BareBlock memory first = blockOf(1, 9, "a", 100, 160);
        vm.expectPartialRevert(TwoBlocks.SameBlock.selector);
        this.proveBlocksExternal(first, first);
    }

    function test_blocksOfTwoHeightsAreNoFault() public {
        BareBlock memory first = blockOf(1, 9, "a", 100, 160);
        BareBlock memory second = blockOf(1, 10, "b", 100, 160);
        vm.expectRevert(abi.encodeWithSelector(TwoBlocks.OtherHeight.selector, 9 + 2 ** 32, 10 + 2 ** 32));
        this.proveBlocksExternal(first, second);
    }

    function test_aBlockThatAnotherChipEndedIsNoFault() public {
        BareBlock memory first = blockOf(1, 9, "a", 100, 160);
        BareBlock memory second = blockOf(1, 9, "b", 100, 160);
        bytes32 about = Domain.digest("poet-end", Domain.part(second.header));
        second.end = Chips.time(secretOf(2), keyOf(1), about, Moment(160, 7, 3));
        vm.expectRevert(abi.encodeWithSelector(TpmTime.TimeRefused.selector, Judgement.SignatureWrong));
        this.proveBlocksExternal(first, second);
    }

    function test_aBlockOfAnotherMemberOrNetworkIsNoFault() public {
        BareBlock memory first = blockOf(1, 9, "a", 100, 160);
        BareBlock memory second = blockOf(2, 9, "b", 100, 160);
        vm.expectRevert(abi.encodeWithSelector(TwoBlocks.OtherNode.selector, members[2].node, node));
        this.proveBlocksExternal(first, second);
        second.header = headerOf(keccak256("another"), node, 9, "b", Moment(100, 7, 3));
        vm.expectRevert(abi.encodeWithSelector(TwoBlocks.OtherNetwork.selector, keccak256("another"), NETWORK));
        this.proveBlocksExternal(first, second);
    }

    function proveExternal(uint64 member, AnchorHeader calldata first, AnchorHeader calldata second) external {
        proveTwoAnchors(member, first, second);
    }

    function proveBlocksExternal(BareBlock calldata first, BareBlock calldata second) external {
        proveTwoBlocks(first, second);
    }

    function rivals() private view returns (AnchorHeader memory first, AnchorHeader memory second) {
        (first, second) = (upcoming(), upcoming());
        second.blockId = keccak256("a rival");
    }

    function proveTwoAnchors(uint64 member, AnchorHeader memory first, AnchorHeader memory second) private {
        ShownMember memory shown = shownMember(member);
        SignedAnchor memory left = SignedAnchor({ header: first, vote: voteOf(member, first) });
        SignedAnchor memory right = SignedAnchor({ header: second, vote: voteOf(member, second) });
        vm.prank(challenger);
        nodeDisputes.proveTwoAnchors(headers[0], shown, left, right);
    }

    function proveTwoBlocks(BareBlock memory first, BareBlock memory second) private {
        nodeDisputes.proveTwoBlocks(headers[0], shownMember(1), first, second);
    }

    function blockOf(uint64 member, uint64 height, string memory what, uint64 start, uint64 end) private view returns (BareBlock memory) {
        return blockAt(member, height, what, Moment(start, 7, 3), Moment(end, 7, 3));
    }

    function blockAt(uint64 member, uint64 height, string memory what, Moment memory start, Moment memory end)
        private
        view
        returns (BareBlock memory made)
    {
        made.header = headerOf(NETWORK, members[member].node, height, what, start);
        made.end = Chips.time(secretOf(member), keyOf(member), Domain.digest("poet-end", Domain.part(made.header)), end);
    }

    /// @dev In the order of the encoded keys, RFC 8949 §4.2.1. The start certificate's signature is judged nowhere in a dispute.
    function headerOf(bytes32 network, bytes32 maker, uint64 height, string memory what, Moment memory start)
        private
        view
        returns (bytes memory)
    {
        bytes memory attestation = Chips.time(secretOf(1), keyOf(1), keccak256("start"), start).attestation;
        bytes memory draw = abi.encodePacked(hex"6464726177", hex"590100", new bytes(256));
        bytes memory begin = abi.encodePacked(
            hex"657374617274a2697369676e61747572655840",
            new bytes(64),
            hex"6b6174746573746174696f6e58",
            uint8(attestation.length),
            attestation
        );
        return abi.encodePacked(
            hex"aa",
            draw,
            hex"646e6f64655820",
            maker,
            begin,
            abi.encodePacked(hex"6573746174655820", keccak256(bytes(what)), hex"666865696768741b", uint64(height + 2 ** 32)),
            abi.encodePacked(hex"66706172656e745820", bytes32(0), hex"6674696d654d7300", hex"676e6574776f726b5820", network),
            abi.encodePacked(hex"6776657273696f6e01", hex"6c7472616e73616374696f6e735820", bytes32(0))
        );
    }
}

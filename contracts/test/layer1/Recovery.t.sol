// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IAnchors, ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { Committee } from "../../src/libraries/Committee.sol";
import { CompactTime } from "../../src/libraries/CompactTime.sol";
import { Domain } from "../../src/libraries/Domain.sol";
import { Recoveries } from "../../src/libraries/Recovery.sol";
import { vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @notice The way on when more than a third of the seats is lost. Specification §20.7.
contract RecoveryTest is Network {
    /// @dev Seats, in the order in which they show life.
    uint64[4] private four = [uint64(7), 2, 5, 4];

    function setUp() public {
        found(9, 9);
        finalNext();
    }

    function test_aNetworkGoesOnWithThoseThatShowLife() public {
        fourShowLife();
        complete();
        (uint64 epoch, bytes32 tip, uint256 voters) = anchors.tip();
        vm.assertEq(epoch, 1, "the last final anchor");
        vm.assertEq(voters, 4, "those that came");
        AnchorHeader memory header = upcoming();
        vm.assertEq(header.previous, tip, "follows the recovery");
        post(header, survivorsVotes(header, 4));
        vm.warp(block.timestamp + WINDOW_S);
        vm.assertEq(anchors.lastFinal(), 2, "final");
        postNext();
    }

    function test_placesAreThoseOfTheSurvivorsInTheOrderInWhichTheyCame() public {
        fourShowLife();
        complete();
        AnchorHeader memory header = upcoming();
        Votes memory votes = survivorsVotes(header, 3);
        votes.votes[2 * CompactTime.BYTES] ^= 0x01;
        post(header, votes);
        ShownMember memory seatTwo = shownMember(2);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherSeat.selector, 2, 5));
        anchors.challengeVote(2, headers[1], votes, 2, seatTwo);
        anchors.challengeVote(2, headers[1], votes, 2, shownMember(5));
        (, bytes32 tip,) = anchors.tip();
        vm.assertEq(tip, header.previous, "the recovery's anchor is the tip again");
    }

    function test_oldSeatsDontVoteAfterARecovery() public {
        fourShowLife();
        complete();
        AnchorHeader memory header = next(2, anchors.anchorOf(1));
        Votes memory votes = quorum(header);
        (, bytes32 tip,) = anchors.tip();
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherPrevious.selector, header.previous, tip));
        post(header, votes);
        header = upcoming();
        votes = quorum(header);
        vm.expectRevert(abi.encodeWithSelector(Committee.PlaceUnknown.selector, votes.voters, four.length));
        post(header, votes);
    }

    function test_noRoundBeginsWhileTheNetworkIsAlive() public {
        vm.warp(block.timestamp + RECOVERY_S - WINDOW_S);
        postNext();
        vm.warp(block.timestamp + WINDOW_S);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.TooSoon.selector, block.timestamp + RECOVERY_S));
        anchors.beginRecovery();
    }

    function test_noRoundBeginsBeforeAnOpenPostIsFinal() public {
        vm.warp(block.timestamp + RECOVERY_S);
        postNext();
        vm.expectRevert(abi.encodeWithSelector(IAnchors.PostsOpen.selector, 1, 2));
        anchors.beginRecovery();
    }

    function test_anAnchorOfTheOldSeatsEndsTheRound() public {
        fourShowLife();
        finalNext();
        vm.warp(block.timestamp + SHOW_S);
        AnchorHeader memory last = headers[1];
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherEpoch.selector, 1, 2));
        anchors.completeRecovery(last);
        last = headers[2];
        vm.expectRevert(abi.encodeWithSelector(Recoveries.RoundOver.selector, 1));
        anchors.completeRecovery(last);
    }

    function test_aThirdIsTooFew() public {
        begin();
        showEach(0, 3, 1);
        vm.warp(block.timestamp + SHOW_S);
        AnchorHeader memory last = headers[1];
        vm.expectRevert(abi.encodeWithSelector(Recoveries.TooFewCame.selector, 3, 4));
        anchors.completeRecovery(last);
        anchors.beginRecovery();
        vm.expectRevert(abi.encodeWithSelector(CompactTime.NotSigned.selector, members[0].node, lifeOf(2)));
        this.showExternal(0, 1);
        show(0, 2);
    }

    function test_aRoundThatCanBeCompletedIsNotBegunAnew() public {
        begin();
        showEach(0, 4, 1);
        vm.warp(block.timestamp + SHOW_S);
        vm.expectRevert(abi.encodeWithSelector(Recoveries.RoundToComplete.selector, 1));
        anchors.beginRecovery();
    }

    function test_lifeIsShownOnceByTheChipItselfInTheWindow() public {
        AnchorHeader memory last = headers[1];
        vm.expectRevert(abi.encodeWithSelector(Recoveries.RoundOver.selector, 0));
        this.showExternal(0, 0);
        begin();
        show(0, 1);
        vm.expectRevert(abi.encodeWithSelector(Recoveries.AlreadyCame.selector, 1, 0));
        this.showExternal(0, 1);
        ShownMember memory member = shownMember(1);
        bytes memory foreign = Chips.compactTime(secretOf(0), keyOf(1), lifeOf(1));
        vm.expectRevert(abi.encodeWithSelector(CompactTime.NotSigned.selector, member.leaf.node, lifeOf(1)));
        anchors.showLife(last, member, foreign);
        vm.warp(block.timestamp + SHOW_S);
        vm.expectRevert(abi.encodeWithSelector(Recoveries.RoundOver.selector, 1));
        this.showExternal(1, 1);
    }

    function test_aRoundIsNotCompletedBeforeItsWindowHasPassed() public {
        begin();
        showEach(0, 9, 1);
        AnchorHeader memory last = headers[1];
        vm.expectRevert(abi.encodeWithSelector(Recoveries.RoundNotOver.selector, 1, block.timestamp + SHOW_S));
        anchors.completeRecovery(last);
    }

    function test_aSecondRecoveryMayFollowFromTheSameAnchor() public {
        begin();
        showEach(0, 4, 1);
        complete();
        (, bytes32 first,) = anchors.tip();
        begin();
        (, bytes32 meanwhile,) = anchors.tip();
        vm.assertEq(meanwhile, first, "the first stands until the second is complete");
        showEach(4, 9, 2);
        complete();
        (, bytes32 second, uint256 voters) = anchors.tip();
        vm.assertNotEq(first, second, "another anchor");
        vm.assertEq(voters, 5, "those of the second round");
    }

    function showExternal(uint64 member, uint64 round) external {
        show(member, round);
    }

    function begin() private {
        vm.warp(block.timestamp + RECOVERY_S);
        anchors.beginRecovery();
    }

    function complete() private {
        vm.warp(block.timestamp + SHOW_S);
        anchors.completeRecovery(headers[1]);
    }

    function show(uint64 member, uint64 round) private {
        anchors.showLife(headers[1], shownMember(member), Chips.compactTime(secretOf(member), keyOf(member), lifeOf(round)));
    }

    /// @param end the first seat that does not
    function showEach(uint64 first, uint64 end, uint64 round) private {
        for (uint64 member = first; member < end; member++) {
            show(member, round);
        }
    }

    function fourShowLife() private {
        begin();
        for (uint256 i = 0; i < four.length; i++) {
            show(four[i], 1);
        }
    }

    function lifeOf(uint64 round) private view returns (bytes32) {
        return Domain.digest("recovery", abi.encodePacked(Domain.part(anchors.anchorOf(1)), Domain.part(round)));
    }

    function survivorsVotes(AnchorHeader memory header, uint256 count) private view returns (Votes memory votes) {
        votes.voters = uint128((1 << count) - 1);
        for (uint256 i = 0; i < count; i++) {
            votes.votes = abi.encodePacked(votes.votes, voteOf(four[i], header));
        }
    }
}

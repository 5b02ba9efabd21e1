// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";
import { Anchors } from "../../src/Anchors.sol";
import { StopSwitch } from "../../src/StopSwitch.sol";
import { AnchorTerms, IAnchors, ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { IStopSwitch } from "../../src/interfaces/IStopSwitch.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { vm } from "../Vm.sol";
import { Network } from "./Network.sol";

/// @notice What a stop does, and who may do what. Specification §20.5.
contract StopSwitchTest is Network {
    function setUp() public {
        found(4, 4);
    }

    function test_whileStoppedNothingIsPostedOrFinalAndAllCanBeChallenged() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        post(header, votes);
        stop();
        vm.warp(block.timestamp + WINDOW_S);
        vm.assertEq(anchors.lastFinal(), 0, "not final though its window has passed");
        AnchorHeader memory after_ = upcoming();
        headers[1] = header;
        Votes memory more = quorum(after_);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.PostsStopped.selector, stopSwitch.stoppedUntil()));
        post(after_, more);
        anchors.finalise();
        vm.assertEq(anchors.lastFinal(), 0, "nor marked");
        anchors.challengeVote(1, headers[0], votes, 0, shownMember(0));
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "void");
    }

    function test_whatWasFinalBeforeAStopStays() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        post(header, votes);
        vm.warp(block.timestamp + WINDOW_S);
        vm.assertEq(anchors.lastFinal(), 1, "final, though nobody has marked it");
        stop();
        vm.warp(block.timestamp + 1 hours);
        vm.assertEq(anchors.lastFinal(), 1, "still");
        ShownMember memory member = shownMember(0);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.NotOpen.selector, 1, 1, 1));
        anchors.challengeVote(1, headers[0], votes, 0, member);
    }

    function test_aStopEndsByItself() public {
        stop();
        vm.warp(block.timestamp + STOP_S);
        vm.assertFalse(stopSwitch.stopped(), "over");
        postNext();
    }

    function test_noStopBeginsForTenTimesItsLength(uint32 wait) public {
        uint64 first = uint64(block.timestamp);
        stop();
        uint256 later = wait % (10 * STOP_S);
        vm.warp(first + later);
        vm.expectRevert(abi.encodeWithSelector(IStopSwitch.TooSoon.selector, first + 10 * STOP_S));
        stop();
        vm.warp(first + 10 * STOP_S);
        stop();
    }

    function test_resumingEarlyGivesNoOtherStop() public {
        uint64 first = uint64(block.timestamp);
        stop();
        vm.prank(guardian);
        stopSwitch.resume();
        vm.assertFalse(stopSwitch.stopped(), "resumed");
        vm.expectRevert(abi.encodeWithSelector(IStopSwitch.TooSoon.selector, first + 10 * STOP_S));
        stop();
    }

    function test_onlyTheGuardianStops() public {
        vm.expectRevert(abi.encodeWithSelector(IStopSwitch.NotGuardian.selector, owner));
        vm.prank(owner);
        stopSwitch.stop();
    }

    function test_theGuardianIsNamedThroughTheTimelock() public {
        address other = vm.addr(0x6a2d);
        bytes memory naming = abi.encodeCall(stopSwitch.nameGuardian, (other));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, owner));
        vm.prank(owner);
        stopSwitch.nameGuardian(other);
        vm.startPrank(owner);
        timelock.schedule(address(stopSwitch), 0, naming, 0, 0, TIMELOCK_S);
        vm.warp(block.timestamp + TIMELOCK_S - 1);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(stopSwitch), 0, naming, 0, 0);
        vm.warp(block.timestamp + 1);
        timelock.execute(address(stopSwitch), 0, naming, 0, 0);
        vm.assertEq(stopSwitch.guardian(), other, "named");
    }

    function test_termsUnderWhichAStopLastsLongerThanHalfOfARecoveryAreRefused() public {
        AnchorHeader memory founders = headers[0];
        vm.expectRevert(IAnchors.TermsUnusable.selector);
        new Anchors(NETWORK, founders, AnchorTerms(WINDOW_S, 2 * STOP_S - 1, SHOW_S, BOND), stopSwitch);
        vm.expectRevert(IStopSwitch.StopTooShort.selector);
        new StopSwitch(owner, guardian, 0);
    }

    function stop() private {
        vm.prank(guardian);
        stopSwitch.stop();
    }
}

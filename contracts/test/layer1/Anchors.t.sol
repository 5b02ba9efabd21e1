// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IAnchors, ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { IEscrow } from "../../src/interfaces/IEscrow.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { Committee } from "../../src/libraries/Committee.sol";
import { CompactTime } from "../../src/libraries/CompactTime.sol";
import { MerkleTree } from "../../src/libraries/MerkleTree.sol";
import { PostChains } from "../../src/libraries/PostChain.sol";
import { vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @notice Anchors, posts and their challenges. Specification §20.2 and §20.3.
contract AnchorsTest is Network {
    function setUp() public {
        found(7, 7);
    }

    function test_aPostIsFinalOnceItsWindowHasPassed() public {
        AnchorHeader memory header = postNext();
        vm.assertEq(anchors.lastFinal(), 0, "open");
        vm.warp(block.timestamp + WINDOW_S - 1);
        vm.assertEq(anchors.lastFinal(), 0, "a second early");
        vm.warp(block.timestamp + 1);
        vm.assertEq(anchors.lastFinal(), 1, "final");
        anchors.requireFinal(header);
    }

    function test_finalisingGivesTheBondBack() public {
        finalNext();
        anchors.finalise();
        vm.assertEq(anchors.owed(poster), BOND, "bond");
        uint256 before = poster.balance;
        vm.prank(poster);
        anchors.withdraw(payable(poster));
        vm.assertEq(poster.balance - before, BOND, "paid");
        vm.assertEq(address(anchors).balance, 0, "nothing left");
    }

    function test_aPostFollowsAnOpenOne() public {
        for (uint256 i = 0; i < 5; i++) {
            postNext();
        }
        vm.assertEq(anchors.lastFinal(), 0, "all open");
        vm.warp(block.timestamp + WINDOW_S);
        vm.assertEq(anchors.lastFinal(), 5, "all final at once");
    }

    function test_atMost32PostsAreOpen() public {
        for (uint256 i = 0; i < 32; i++) {
            postNext();
        }
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.expectRevert(abi.encodeWithSelector(PostChains.TooManyOpen.selector, 32, 32));
        post(header, votes);
        vm.warp(block.timestamp + WINDOW_S);
        post(header, votes);
        vm.assertEq(anchors.lastFinal(), 32, "room again");
    }

    function test_theBondIsTakenFromWhatIsOwed() public {
        finalNext();
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.prank(poster, poster);
        anchors.post(header, votes);
        vm.assertEq(anchors.owed(poster), 0, "used again");
    }

    function test_aPostWithoutBondIsRefused() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TooLittlePaid.selector, 0, BOND));
        vm.prank(challenger, challenger);
        anchors.post(header, votes);
    }

    function test_whatIsNotTheNextEpochIsRefused(uint64 epoch) public {
        vm.assume(epoch != 1);
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        header.epoch = epoch;
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherEpoch.selector, epoch, 1));
        vm.prank(poster, poster);
        anchors.post{ value: BOND }(header, votes);
    }

    function test_anotherPreviousAnchorIsRefused() public {
        AnchorHeader memory header = upcoming();
        bytes32 wanted = header.previous;
        header.previous = keccak256("another");
        Votes memory votes = quorum(header);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherPrevious.selector, header.previous, wanted));
        post(header, votes);
    }

    function test_fewerVotesThanAQuorumAreRefused() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = votesOf(header, 4);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.TooFewVotes.selector, 4, 5));
        post(header, votes);
    }

    function test_votesOfAnotherLengthAreRefused() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes = abi.encodePacked(votes.votes, bytes1(0));
        vm.expectRevert(abi.encodeWithSelector(IAnchors.VotesLength.selector, 5 * 105 + 1, 5 * 105));
        post(header, votes);
    }

    function test_aPlaceBeyondTheSeatsIsRefused() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.voters |= 1 << 7;
        vm.expectRevert(abi.encodeWithSelector(Committee.PlaceUnknown.selector, votes.voters, 7));
        post(header, votes);
    }

    function test_anAnchorWithoutSeatsIsRefused() public {
        AnchorHeader memory header = upcoming();
        header.seats = 0;
        Votes memory votes = quorum(header);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.SeatsUnusable.selector, 0, 7));
        post(header, votes);
        header.seats = 8;
        vm.expectRevert(abi.encodeWithSelector(IAnchors.SeatsUnusable.selector, 8, 7));
        post(header, votes);
    }

    function test_aVoteThatHoldsIsNotChallenged(uint256 vote) public {
        vote = vote % 5;
        AnchorHeader memory header = postNext();
        Votes memory votes = quorum(header);
        ShownMember memory member = shownMember(uint64(vote));
        vm.expectRevert(abi.encodeWithSelector(IAnchors.VoteHolds.selector, 1, vote));
        anchors.challengeVote(1, headers[0], votes, vote, member);
    }

    function test_aVoteWithAnyByteChangedIsChallenged(uint256 vote, uint256 place, uint8 change) public {
        vm.assume(change != 0);
        (vote, place) = (vote % 5, place % CompactTime.BYTES);
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[vote * CompactTime.BYTES + place] ^= bytes1(change);
        post(header, votes);
        ShownMember memory member = shownMember(uint64(vote));
        vm.prank(challenger);
        anchors.challengeVote(1, headers[0], votes, vote, member);
        vm.assertEq(anchors.owed(challenger), BOND / 2, "half is the challenger's");
        vm.assertEq(anchors.owed(address(0)), BOND - BOND / 2, "half is burnt");
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "the epoch is free");
    }

    function test_aVoteByAnotherChipIsChallenged() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        bytes memory foreign = Chips.compactTime(secretOf(6), keyOf(4), anchors.digestOf(header));
        for (uint256 i = 0; i < CompactTime.BYTES; i++) {
            votes.votes[4 * CompactTime.BYTES + i] = foreign[i];
        }
        post(header, votes);
        anchors.challengeVote(1, headers[0], votes, 4, shownMember(4));
    }

    function test_aKeyBesideTheEndorsementKeySignsNothingThatCounts() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        // Same point, another parent: its qualified name is another one.
        members[4].node = keccak256("no parent");
        bytes memory foreign = voteOf(4, header);
        members[4].node = keccak256(abi.encode("node", uint64(4)));
        for (uint256 i = 0; i < CompactTime.BYTES; i++) {
            votes.votes[4 * CompactTime.BYTES + i] = foreign[i];
        }
        post(header, votes);
        anchors.challengeVote(1, headers[0], votes, 4, shownMember(4));
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "void");
    }

    function test_anotherSeatThanThatOfThePlaceProvesNothing() public {
        AnchorHeader memory header = postNext();
        Votes memory votes = quorum(header);
        ShownMember memory member = shownMember(6);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherSeat.selector, 6, 4));
        anchors.challengeVote(1, headers[0], votes, 4, member);
    }

    function test_aMemberThatIsNotInThePreviousRootProvesNothing() public {
        AnchorHeader memory header = postNext();
        Votes memory votes = quorum(header);
        ShownMember memory member = shownMember(0);
        (member.leaf.x, member.leaf.y) = (members[1].x, members[1].y);
        vm.expectPartialRevert(MerkleTree.OtherRoot.selector);
        anchors.challengeVote(1, headers[0], votes, 0, member);
        vm.assertEq(anchors.anchorOf(1), anchors.digestOf(header), "it stands");
    }

    function test_otherVotesThanThePostedOnesProveNothing() public {
        AnchorHeader memory header = postNext();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        ShownMember memory member = shownMember(0);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherVotes.selector, 1));
        anchors.challengeVote(1, headers[0], votes, 0, member);
    }

    function test_whatIsFinalIsNotChallenged() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        post(header, votes);
        vm.warp(block.timestamp + WINDOW_S);
        ShownMember memory member = shownMember(0);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.NotOpen.selector, 1, 1, 1));
        anchors.challengeVote(1, headers[0], votes, 0, member);
    }

    function test_aVoidPostTakesThoseAfterItAlongAndGivesTheirBondsBack() public {
        postNext();
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[3] ^= 0x80;
        post(header, votes);
        postNext();
        postNext();
        ShownMember memory member = shownMember(0);
        vm.prank(challenger);
        anchors.challengeVote(2, headers[1], votes, 0, member);
        (uint64 epoch,,) = anchors.tip();
        vm.assertEq(epoch, 1, "cut back to the epoch before");
        vm.assertEq(anchors.owed(poster), 2 * BOND, "of the two after it");
        postNext();
        vm.warp(block.timestamp + WINDOW_S);
        vm.assertEq(anchors.lastFinal(), 2, "goes on");
    }

    function test_beyond128SeatsPlacesAreDrawn() public {
        found2(200);
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.assertEq(votes.votes.length, 86 * CompactTime.BYTES, "86 of 128 places");
        votes.votes[85 * CompactTime.BYTES] ^= 0x01;
        post(header, votes);
        uint64 seat = uint64(Committee.seatAt(headers[0].seed, 1, 0, 85, 200));
        uint64 other = uint64(Committee.seatAt(headers[0].seed, 1, 1, 85, 200));
        vm.assertNotEq(bytes32(uint256(seat)), bytes32(uint256(other)), "another round, another draw");
        ShownMember memory wrong = shownMember(other);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherSeat.selector, other, seat));
        anchors.challengeVote(1, headers[0], votes, 85, wrong);
        anchors.challengeVote(1, headers[0], votes, 85, shownMember(seat));
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "void");
    }

    function test_everyPlaceIsCountedOnce(uint128 voters) public pure {
        uint256 count = Committee.count(voters, 128);
        uint256 last = 0;
        for (uint256 vote = 0; vote < count; vote++) {
            uint256 place = Committee.placeOf(voters, vote);
            vm.assertTrue(voters >> place & 1 == 1, "votes");
            vm.assertTrue(vote == 0 || place > last, "ascending");
            last = place;
        }
    }

    function test_aQuorumIsMoreThanTwoThirds(uint32 seats_) public pure {
        vm.assume(seats_ != 0);
        uint256 places = Committee.places(seats_);
        vm.assertTrue(Committee.quorum(seats_) * 3 > places * 2, "more than two thirds");
        vm.assertTrue((Committee.quorum(seats_) - 1) * 3 <= places * 2, "no more than needed");
    }

    function found2(uint64 seats_) private {
        delete members;
        delete verdicts;
        delete credits;
        found(seats_, seats_);
    }
}

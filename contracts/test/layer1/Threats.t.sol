// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";
import { Anchors } from "../../src/Anchors.sol";
import { AnchorTerms, IAnchors, ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { IEscrow } from "../../src/interfaces/IEscrow.sol";
import { INodeRegistry } from "../../src/interfaces/INodeRegistry.sol";
import { MeasuredKind } from "../../src/interfaces/IReleases.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { Committee } from "../../src/libraries/Committee.sol";
import { CompactTime } from "../../src/libraries/CompactTime.sol";
import { hardfork, vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @notice Fetches what it is owed, and again while it is being paid.
contract Reentrant {
    Anchors private immutable anchors;
    uint256 private calls;

    constructor(Anchors target) payable {
        anchors = target;
    }

    function post(AnchorHeader calldata header, Votes calldata votes) external {
        anchors.post{ value: address(this).balance }(header, votes);
    }

    function challenge(AnchorHeader calldata previous, Votes calldata votes, ShownMember calldata member) external {
        anchors.challengeVote(previous.epoch + 1, previous, votes, 0, member);
    }

    function fetch() external {
        anchors.withdraw(payable(address(this)));
    }

    receive() external payable {
        if (calls++ < 3) anchors.withdraw(payable(address(this)));
    }
}

/// @notice Each attack that is known on layer 1, and how it ends. Specification §20.2 to §20.7.
contract ThreatsTest is Network {
    address private constant P256_PRECOMPILE = address(0x100);
    /// @dev Of forge.
    uint256 private constant CHAIN_ID = 31337;
    address private attacker = vm.addr(0xbad);

    function setUp() public {
        found(7, 7);
        vm.deal(attacker, 1000 ether);
    }

    function test_replayedAnchor_isOfAnotherEpoch() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        post(header, votes);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherEpoch.selector, 1, 2));
        vm.prank(attacker, attacker);
        anchors.post{ value: BOND }(header, votes);
    }

    function test_replayedAnchor_votesOfTheLastEpochDontHold() public {
        AnchorHeader memory first = upcoming();
        Votes memory votes = quorum(first);
        post(first, votes);
        post(upcoming(), votes);
        anchors.challengeVote(2, headers[1], votes, 0, shownMember(0));
        vm.assertEq(anchors.anchorOf(2), bytes32(0), "void");
    }

    function test_replayedAnchor_votesForAnotherContractDontHold() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        Anchors other = new Anchors(NETWORK, headers[0], AnchorTerms(WINDOW_S, RECOVERY_S, SHOW_S, BOND), stopSwitch);
        header.previous = other.anchorOf(0);
        vm.prank(attacker, attacker);
        other.post{ value: BOND }(header, votes);
        other.challengeVote(1, headers[0], votes, 0, shownMember(0));
        vm.assertEq(other.anchorOf(1), bytes32(0), "void");
    }

    function test_wrongChainId_votesOfAnotherChainDontHold() public {
        vm.chainId(CHAIN_ID + 1);
        Votes memory votes = quorum(upcoming());
        vm.chainId(CHAIN_ID);
        post(upcoming(), votes);
        anchors.challengeVote(1, headers[0], votes, 0, shownMember(0));
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "void");
    }

    function test_reorganisation_theSamePostComesAgainWithoutAnyChip() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        uint256 before = vm.snapshotState();
        post(header, votes);
        bytes32 anchor = anchors.anchorOf(1);
        vm.revertToState(before);
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "gone");
        vm.warp(block.timestamp + 1 hours);
        vm.roll(block.number + 300);
        vm.prank(attacker, attacker);
        anchors.post{ value: BOND }(header, votes);
        vm.assertEq(anchors.anchorOf(1), anchor, "the same anchor, whoever posts it, whenever");
    }

    function test_frontRunning_aCopiedPostServesTheNetwork() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.prank(attacker, attacker);
        anchors.post{ value: BOND }(header, votes);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.OtherEpoch.selector, 1, 2));
        vm.prank(poster, poster);
        anchors.post{ value: BOND }(header, votes);
        vm.assertEq(anchors.anchorOf(1), anchors.digestOf(header), "the network's anchor");
        vm.assertEq(poster.balance, 1000 ether, "who came second paid no bond");
    }

    function test_frontRunning_aFalsePostCostsHalfOfTheBondEachTime() public {
        for (uint256 i = 0; i < 3; i++) {
            AnchorHeader memory header = upcoming();
            Votes memory votes = quorum(header);
            votes.votes[0] ^= 0x01;
            ShownMember memory member = shownMember(0);
            vm.startPrank(attacker, attacker);
            anchors.post{ value: BOND }(header, votes);
            anchors.challengeVote(1, headers[0], votes, 0, member);
            vm.stopPrank();
        }
        vm.prank(attacker);
        anchors.withdraw(payable(attacker));
        vm.assertEq(attacker.balance, 1000 ether - 3 * (BOND / 2), "paid for holding it up, though he challenged himself");
        postNext();
    }

    function test_frontRunning_aCopiedChallengeVoidsTheSamePost() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        post(header, votes);
        ShownMember memory member = shownMember(0);
        vm.prank(attacker);
        anchors.challengeVote(1, headers[0], votes, 0, member);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.NotOpen.selector, 1, 0, 0));
        vm.prank(challenger);
        anchors.challengeVote(1, headers[0], votes, 0, member);
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "void, whoever gets the reward");
    }

    function test_reentrancy_paysOnce() public {
        Reentrant reentrant = new Reentrant(anchors);
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        post(header, votes);
        reentrant.challenge(headers[0], votes, shownMember(0));
        vm.expectRevert(abi.encodeWithSelector(IEscrow.PaymentRefused.selector, address(reentrant), BOND / 2));
        reentrant.fetch();
        vm.assertEq(anchors.owed(address(reentrant)), BOND / 2, "nothing was paid, nothing is lost");
    }

    function test_hiddenVotes_aContractThatPassesThemOnIsRefused() public {
        Reentrant between = new Reentrant{ value: BOND }(anchors);
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.VotesHidden.selector, address(between)));
        between.post(header, votes);
    }

    function test_hiddenVotes_anAccountThatIsACodeAsWellIsRefused() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        vm.etch(attacker, hex"00");
        vm.expectRevert(abi.encodeWithSelector(IAnchors.VotesHidden.selector, attacker));
        vm.prank(attacker, attacker);
        anchors.post{ value: BOND }(header, votes);
    }

    function test_griefingDeposit_nobodyStakesForAnothersNode() public {
        bytes32 node = members[3].node;
        bytes32 about = registry.authorisation(node, attacker);
        bytes memory own = Chips.compactTime(uint256(keccak256("a key of the attacker")) >> 8, keyOf(3), about);
        ShownMember memory member = shownMember(3);
        AnchorHeader memory last = headers[0];
        vm.startPrank(attacker);
        vm.expectRevert(abi.encodeWithSelector(CompactTime.NotSigned.selector, node, about));
        registry.stake{ value: 1 ether }(last, member, own);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotStaked.selector, node));
        registry.addStake{ value: 1 }(node);
    }

    function test_griefingDeposit_moneyThatIsForcedInChangesNothing() public {
        vm.prank(attacker);
        (bool taken,) = address(anchors).call{ value: 1 ether }("");
        vm.assertFalse(taken, "no plain payments");
        vm.deal(address(anchors), 5 ether);
        vm.deal(address(registry), 5 ether);
        finalNext();
        anchors.finalise();
        vm.assertEq(anchors.owed(poster), BOND, "bond and no more");
    }

    function test_votesBoughtTwice_oneVoteInTwoPlacesDoesNotHold() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes;
        votes.voters = 0x1f;
        for (uint256 i = 0; i < 5; i++) {
            votes.votes = abi.encodePacked(votes.votes, voteOf(0, header));
        }
        post(header, votes);
        anchors.challengeVote(1, headers[0], votes, 1, shownMember(1));
        vm.assertEq(anchors.anchorOf(1), bytes32(0), "void");
    }

    function test_constantPrevrandao_drawsNothing(bytes32 prevrandao) public {
        uint256 seat = Committee.seatAt(headers[0].seed, 1, 0, 17, 10_000);
        vm.prevrandao(prevrandao);
        vm.assertEq(Committee.seatAt(headers[0].seed, 1, 0, 17, 10_000), seat, "from the network's seed alone");
    }

    function test_precompileAbsentOrOther_signaturesAreJudgedAllTheSame(uint256 kind) public {
        // Returns nothing; returns zero.
        if (!hasPrecompile()) vm.etch(P256_PRECOMPILE, kind % 2 == 0 ? bytes(hex"00") : bytes(hex"60205ff3"));
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[0] ^= 0x01;
        post(header, votes);
        ShownMember memory good = shownMember(1);
        vm.expectRevert(abi.encodeWithSelector(IAnchors.VoteHolds.selector, 1, 1));
        anchors.challengeVote(1, headers[0], votes, 1, good);
        anchors.challengeVote(1, headers[0], votes, 0, shownMember(0));
    }

    function test_precompileAbsentOrOther_whereItMisjudgesNothingIsDeployed() public {
        if (hasPrecompile()) return;
        AnchorHeader memory founders = headers[0];
        AnchorTerms memory terms = AnchorTerms(WINDOW_S, RECOVERY_S, SHOW_S, BOND);
        vm.etch(P256_PRECOMPILE, hex"60015f5260205ff3"); // says yes to everything
        vm.expectRevert(IAnchors.SignaturesMisjudged.selector);
        new Anchors(NETWORK, founders, terms, stopSwitch);
        vm.etch(P256_PRECOMPILE, hex"5f5ffd"); // reverts
        vm.expectRevert(bytes(""));
        new Anchors(NETWORK, founders, terms, stopSwitch);
    }

    function test_littleGas_makesNoGoodVoteLookWrong() public {
        AnchorHeader memory header = postNext();
        Votes memory votes = quorum(header);
        ShownMember memory member = shownMember(0);
        for (uint256 gas = 20_000; gas < 500_000; gas += 997) {
            try anchors.challengeVote{ gas: gas }(1, headers[0], votes, 0, member) { } catch { }
        }
        vm.assertEq(anchors.anchorOf(1), anchors.digestOf(header), "it stands");
    }

    function test_stolenOwnerKey_everythingWaitsForTheTimelock() public {
        uint64 from = uint64(block.timestamp) + 30 days;
        bytes memory adding = abi.encodeCall(releases.add, (MeasuredKind.Firmware, keccak256("malware"), 0, from, from + 1));
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, owner));
        releases.add(MeasuredKind.Firmware, keccak256("malware"), 0, from, from + 1);
        timelock.schedule(address(releases), 0, adding, 0, 0, TIMELOCK_S);
        vm.warp(block.timestamp + TIMELOCK_S - 1);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(releases), 0, adding, 0, 0);
        timelock.cancel(timelock.hashOperation(address(releases), 0, adding, 0, 0));
        vm.warp(block.timestamp + 1);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(releases), 0, adding, 0, 0);
    }

    function test_stolenOwnerKey_hasNoWayToARootOrAStake() public {
        AnchorHeader memory header = upcoming();
        Votes memory votes = votesOf(header, 4);
        bytes32 node = members[0].node;
        vm.deal(address(timelock), 10 ether);
        vm.startPrank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(IAnchors.VotesHidden.selector, address(timelock)));
        anchors.post{ value: BOND }(header, votes);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeNotMarked.selector, node));
        registry.slash(node);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NothingOwed.selector, address(timelock)));
        anchors.withdraw(payable(owner));
    }

    function test_upgradeThatLosesStorage_noCodeIsReplacedOrDestroyed() public view {
        address[6] memory all = [
            address(anchors), address(registry), address(nodeDisputes), address(verdictDisputes), address(releases), address(stopSwitch)
        ];
        for (uint256 i = 0; i < all.length; i++) {
            requirePlain(all[i].code);
        }
    }

    /// @dev Then nobody's code can stand in its place.
    function hasPrecompile() private view returns (bool) {
        return keccak256(bytes(hardfork())) == keccak256("osaka");
    }

    /// @dev No CALLCODE, DELEGATECALL or SELFDESTRUCT among the instructions.
    function requirePlain(bytes memory code) private pure {
        for (uint256 i = 0; i < code.length; i++) {
            uint8 opcode = uint8(code[i]);
            vm.assertTrue(opcode != 0xf2 && opcode != 0xf4 && opcode != 0xff, "an instruction that replaces code");
            if (opcode >= 0x60 && opcode <= 0x7f) i += opcode - 0x5f;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { Fault, SignedAnchor } from "../../src/interfaces/INodeDisputes.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { Domain } from "../../src/libraries/Domain.sol";
import { vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @title What people and members may do to layer 1, in any order
/// @notice Member 0 lies: it votes for a rival of every anchor. Nobody else ever signs two things.
contract Handler is Network {
    uint64 private constant MEMBERS = 4;
    uint64 private constant LIAR = 0;

    /// @notice Anchors that were seen final, by epoch, and how far.
    mapping(uint64 epoch => bytes32) public seenFinal;
    uint64 public seenUntil;
    /// @notice Seconds of all stops, and since when they are counted.
    uint64 public stoppedS;
    uint64 public since;
    /// @notice How often each way was gone to its end.
    mapping(string way => uint256) public times;

    mapping(uint64 epoch => Votes) private _votes;
    mapping(uint64 epoch => bool) private _isFalse;
    mapping(uint64 epoch => uint64 seat) private _firstVoter;
    /// @dev Seats that came in the last round, and in the last that was completed, in their order.
    uint64[] private _came;
    uint64[] private _survivors;
    uint64 private _rounds;
    bytes32 private _recoveryAnchor;

    constructor() {
        found(MEMBERS, MEMBERS);
        since = uint64(block.timestamp);
        for (uint64 i = 0; i < MEMBERS; i++) {
            vm.deal(stakerOf(i), 1000 ether);
        }
    }

    function postGood() external {
        _post(false);
    }

    function postFalse() external {
        _post(true);
    }

    function challenge(uint64 pick) external {
        (uint64 posted,,) = anchors.tip();
        uint64 last = anchors.lastFinal();
        if (posted == last) return;
        uint64 epoch = last + 1 + pick % (posted - last);
        ShownMember memory member = shownMember(_firstVoter[epoch]);
        vm.prank(challenger);
        try anchors.challengeVote(epoch, headers[epoch - 1], _votes[epoch], 0, member) {
            vm.assertTrue(_isFalse[epoch], "a good post was voided");
            times["voided"]++;
        } catch { }
    }

    function passTime(uint32 seconds_) external {
        vm.warp(block.timestamp + seconds_ % (2 * WINDOW_S));
    }

    function passDays(uint8 days_) external {
        vm.warp(block.timestamp + uint256(days_ % 20) * 1 days);
    }

    function finalise() external {
        anchors.finalise();
    }

    function withdraw(uint8 who) external {
        address[3] memory all = [poster, challenger, stakerOf(who % MEMBERS)];
        vm.startPrank(all[who % 3]);
        try anchors.withdraw(payable(all[who % 3])) { } catch { }
        try registry.withdraw(payable(all[who % 3])) { } catch { }
        vm.stopPrank();
    }

    function stop() external {
        vm.prank(guardian);
        stopSwitch.stop();
        stoppedS += STOP_S;
        times["stopped"]++;
    }

    function stake(uint64 member, uint64 amount) external {
        member = member % MEMBERS;
        address staker = stakerOf(member);
        bytes32 about = registry.authorisation(members[member].node, staker);
        bytes memory time = Chips.compactTime(secretOf(member), keyOf(member), about);
        AnchorHeader memory last = headers[anchors.lastFinal()];
        ShownMember memory shown = shownMember(member);
        vm.prank(staker);
        registry.stake{ value: STAKE_MIN + amount }(last, shown, time);
        times["staked"]++;
    }

    function requestWithdrawal(uint64 member) external {
        vm.prank(stakerOf(member % MEMBERS));
        registry.requestWithdrawal(members[member % MEMBERS].node);
    }

    function withdrawStake(uint64 member) external {
        vm.prank(stakerOf(member % MEMBERS));
        registry.withdrawStake(members[member % MEMBERS].node);
        times["left"]++;
    }

    /// @notice The liar's two votes; and the same accusation against everybody else, with the liar's second vote.
    function accuse(uint64 member) external {
        member = member % MEMBERS;
        AnchorHeader memory first = upcoming();
        AnchorHeader memory second = upcoming();
        second.blockId = keccak256("a rival");
        SignedAnchor memory left = SignedAnchor({ header: first, vote: voteOf(member, first) });
        SignedAnchor memory right = SignedAnchor({ header: second, vote: voteOf(LIAR, second) });
        AnchorHeader memory known = headers[0];
        ShownMember memory shown = shownMember(member);
        vm.prank(challenger);
        nodeDisputes.proveTwoAnchors(known, shown, left, right);
        times["marked"]++;
    }

    function slash(uint64 member) external {
        registry.slash(members[member % MEMBERS].node);
        times["slashed"]++;
    }

    /// @notice Silence, then those of the bits come; too few where less than two do.
    function recover(uint8 bits) external {
        vm.warp(block.timestamp + RECOVERY_S + WINDOW_S);
        anchors.beginRecovery();
        _rounds++;
        uint64 last = anchors.lastFinal();
        delete _came;
        for (uint64 i = 0; i < MEMBERS; i++) {
            if (bits >> i & 1 == 1) _showLife(i, last);
        }
        vm.warp(block.timestamp + SHOW_S);
        try anchors.completeRecovery(headers[last]) {
            (, _recoveryAnchor,) = anchors.tip();
            _survivors = _came;
            times["recovered"]++;
        } catch { }
    }

    /// @notice Notes what has become final, and fails where it changed.
    function look() external {
        uint64 last = anchors.lastFinal();
        vm.assertGe(last, seenUntil, "what was final is not");
        for (uint64 epoch = 0; epoch <= last; epoch++) {
            bytes32 anchor = anchors.anchorOf(epoch);
            vm.assertNotEq(anchor, bytes32(0), "a gap");
            if (epoch <= seenUntil && seenFinal[epoch] != 0) vm.assertEq(anchor, seenFinal[epoch], "a final anchor changed");
            seenFinal[epoch] = anchor;
        }
        seenUntil = last;
    }

    /// @notice What the contracts hold, and what they owe or keep as bonds and stakes.
    function books() external returns (uint256 held, uint256 due) {
        anchors.finalise();
        (uint64 posted,,) = anchors.tip();
        held = address(anchors).balance + address(registry).balance;
        due = (posted - anchors.lastFinal()) * BOND;
        address[3] memory all = [poster, challenger, address(0)];
        for (uint256 i = 0; i < 3; i++) {
            due += anchors.owed(all[i]) + registry.owed(all[i]);
        }
        for (uint64 i = 0; i < MEMBERS; i++) {
            due += registry.owed(stakerOf(i)) + registry.stakeOf(members[i].node).amount;
        }
    }

    /// @notice Whether a member that never signed two things is marked.
    function isHonestMarked() external view returns (bool) {
        for (uint64 i = LIAR + 1; i < MEMBERS; i++) {
            if (nodeDisputes.markOf(members[i].node).fault != Fault.None) return true;
        }
        return false;
    }

    function stakerOf(uint64 member) private pure returns (address) {
        return vm.addr(0x57a4e000 + member);
    }

    function _post(bool isFalse) private {
        AnchorHeader memory header = upcoming();
        bool isRecovered = header.previous == _recoveryAnchor;
        Votes memory votes = isRecovered ? _survivorsVotes(header) : quorum(header);
        if (isFalse) votes.votes[7] ^= 0x01;
        vm.prank(poster, poster);
        anchors.post{ value: BOND }(header, votes);
        headers[header.epoch] = header;
        _votes[header.epoch] = votes;
        _isFalse[header.epoch] = isFalse;
        _firstVoter[header.epoch] = isRecovered ? _survivors[0] : 0;
        times["posted"]++;
    }

    function _showLife(uint64 member, uint64 last) private {
        bytes memory about = abi.encodePacked(Domain.part(anchors.anchorOf(last)), Domain.part(_rounds));
        bytes memory time = Chips.compactTime(secretOf(member), keyOf(member), Domain.digest("recovery", about));
        anchors.showLife(headers[last], shownMember(member), time);
        _came.push(member);
    }

    function _survivorsVotes(AnchorHeader memory header) private view returns (Votes memory votes) {
        votes.voters = uint128((1 << _survivors.length) - 1);
        for (uint256 i = 0; i < _survivors.length; i++) {
            votes.votes = abi.encodePacked(votes.votes, voteOf(_survivors[i], header));
        }
    }
}

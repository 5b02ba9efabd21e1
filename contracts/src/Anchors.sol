// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Escrow } from "./Escrow.sol";
import { AnchorTerms, IAnchors, ShownMember, Votes } from "./interfaces/IAnchors.sol";
import { IStopSwitch } from "./interfaces/IStopSwitch.sol";
import { AnchorHeader, Place } from "./libraries/Anchor.sol";
import { AttestationKeys } from "./libraries/AttestationKey.sol";
import { Committee } from "./libraries/Committee.sol";
import { CompactTime } from "./libraries/CompactTime.sol";
import { Domain } from "./libraries/Domain.sol";
import { MerkleTree } from "./libraries/MerkleTree.sol";
import { Post, PostChain } from "./libraries/PostChain.sol";
import { Recovery } from "./libraries/Recovery.sol";

/// @title Anchors
/// @notice Specification §20.2, §20.3 and §20.7. Votes are calldata and are judged only when somebody challenges one: what an epoch costs does
/// not grow with the members.
contract Anchors is IAnchors, Escrow {
    /// @dev What devices count with, exactly: 2^53 - 1.
    uint64 private constant COUNT_MAX = 0x1fffffffffffff;
    /// @dev Of a call of `post`: the header's 12 words, then where the votes begin; of these, round, voters and where their bytes begin.
    uint256 private constant VOTES_AT = 13 * 32;
    uint256 private constant BYTES_AT = 3 * 32;

    bytes32 public immutable network;
    IStopSwitch public immutable stopSwitch;
    /// @inheritdoc IAnchors
    uint64 public immutable windowS;
    uint64 public immutable recoveryS;
    uint64 public immutable showS;
    /// @inheritdoc IAnchors
    uint256 public immutable bond;

    PostChain private _chain;
    Recovery private _recovery;

    modifier whileNotStopped() {
        if (stopSwitch.stopped()) revert PostsStopped(stopSwitch.stoppedUntil());
        _;
    }

    /// @param founders header of epoch 0
    constructor(bytes32 networkId, AnchorHeader memory founders, AnchorTerms memory terms, IStopSwitch switch_) {
        if (terms.windowS == 0 || terms.showS == 0 || switch_.stopS() > terms.recoveryS / 2) revert TermsUnusable();
        if (founders.epoch != 0 || founders.previous != 0) revert OtherEpoch(founders.epoch, 0);
        if (!AttestationKeys.areJudged()) revert SignaturesMisjudged();
        _requireCounts(founders);
        (network, stopSwitch) = (networkId, switch_);
        (windowS, recoveryS, showS, bond) = (terms.windowS, terms.recoveryS, terms.showS, terms.bond);
        _chain.anchors[0] = founders.digest(Place({ network: networkId, anchors: address(this) }));
        emit Posted(0, _chain.anchors[0], msg.sender, founders);
        (_chain.seats, _chain.progressAt) = (founders.seats, uint64(block.timestamp));
    }

    /// @inheritdoc IAnchors
    function stopS() external view returns (uint64) {
        return stopSwitch.stopS();
    }

    /// @inheritdoc IAnchors
    function lastFinal() public view returns (uint64) {
        return _chain.due(_deadline());
    }

    /// @inheritdoc IAnchors
    function anchorOf(uint64 epoch) external view returns (bytes32) {
        return epoch > _chain.posted ? bytes32(0) : _chain.anchors[epoch];
    }

    /// @inheritdoc IAnchors
    function tip() public view returns (uint64 epoch, bytes32 anchor, uint256 seats) {
        epoch = _chain.posted;
        if (_recovery.follows(epoch)) return (epoch, _recovery.anchor, _recovery.survivors().length);
        return (epoch, _chain.anchors[epoch], _chain.seats);
    }

    /// @inheritdoc IAnchors
    function digestOf(AnchorHeader calldata header) external view returns (bytes32) {
        return _digest(header);
    }

    /// @inheritdoc IAnchors
    function requireFinal(AnchorHeader calldata header) external view {
        if (header.epoch > lastFinal()) revert NotFinal(header.epoch, lastFinal());
        _requireKnown(header);
    }

    /// @inheritdoc IAnchors
    function post(AnchorHeader calldata header, Votes calldata votes) external payable whileNotStopped {
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert VotesHidden(msg.sender);
        _requireCanonical(votes);
        _finaliseDue();
        _take(bond);
        (uint64 last, bytes32 previous, uint256 voters) = tip();
        if (header.epoch != last + 1) revert OtherEpoch(header.epoch, last + 1);
        if (header.previous != previous) revert OtherPrevious(header.previous, previous);
        _requireCounts(header);
        _requireQuorum(votes, voters);
        bytes32 anchor = _digest(header);
        _chain.add(
            anchor,
            Post({
                poster: msg.sender, finalAt: uint48(block.timestamp + windowS), seatsBefore: uint48(_chain.seats), votes: _digest(votes)
            }),
            header.seats
        );
        emit Posted(header.epoch, anchor, msg.sender, header);
    }

    /// @inheritdoc IAnchors
    function challengeVote(uint64 epoch, AnchorHeader calldata previous, Votes calldata votes, uint256 vote, ShownMember calldata member)
        external
    {
        if (epoch <= lastFinal() || epoch > _chain.posted) revert NotOpen(epoch, lastFinal(), _chain.posted);
        if (_digest(votes) != _chain.postOf(epoch).votes) revert OtherVotes(epoch);
        if (previous.epoch + 1 != epoch) revert OtherEpoch(previous.epoch, epoch - 1);
        _requireKnown(previous);
        _requireMember(member, previous);
        uint64 seat = _seatOf(previous, votes, Committee.placeOf(votes.voters, vote));
        if (member.index != seat) revert OtherSeat(member.index, seat);
        bytes32 anchor = _chain.anchors[epoch];
        uint256 begins = vote * CompactTime.BYTES;
        if (CompactTime.holds(member.leaf.key(), votes.votes[begins:begins + CompactTime.BYTES], anchor)) revert VoteHolds(epoch, vote);
        _void(epoch);
        emit Voided(epoch, anchor, msg.sender, vote);
    }

    /// @inheritdoc IAnchors
    function finalise() external {
        _finaliseDue();
    }

    /// @inheritdoc IAnchors
    function beginRecovery() external whileNotStopped {
        uint64 epoch = _requireNoneOpen();
        uint64 notBefore = _chain.progressAt + recoveryS;
        if (block.timestamp < notBefore) revert TooSoon(notBefore);
        uint64 until = uint64(block.timestamp) + showS;
        emit RecoveryBegun(_recovery.begin(epoch, _chain.seats, until), epoch, until);
    }

    /// @inheritdoc IAnchors
    function showLife(AnchorHeader calldata last, ShownMember calldata member, bytes calldata time) external {
        _requireKnown(last);
        if (last.epoch != lastFinal()) revert OtherEpoch(last.epoch, lastFinal());
        if (member.index >= last.seats) revert NoSeat(member.index, last.seats);
        _requireMember(member, last);
        uint64 round = _recovery.round;
        bytes memory about = abi.encodePacked(Domain.part(_chain.anchors[last.epoch]), Domain.part(round));
        CompactTime.requireHeld(member.leaf.key(), time, Domain.digest("recovery", about));
        _recovery.come(last.epoch, member.index);
        emit LifeShown(round, member.leaf.node, member.index);
    }

    /// @inheritdoc IAnchors
    function completeRecovery(AnchorHeader calldata last) external whileNotStopped {
        uint64 epoch = _requireNoneOpen();
        if (last.epoch != epoch) revert OtherEpoch(last.epoch, epoch);
        _requireKnown(last);
        bytes32 anchor = _recovery.complete(epoch, _chain.anchors[epoch], last.seats);
        _chain.progressAt = uint64(block.timestamp);
        emit Recovered(_recovery.completedRound, epoch, anchor, _recovery.survivors().length);
    }

    function _requireNoneOpen() private returns (uint64 epoch) {
        _finaliseDue();
        epoch = _chain.finalised;
        if (_chain.posted != epoch) revert PostsOpen(epoch, _chain.posted);
    }

    function _finaliseDue() private {
        uint64 due = _chain.due(_deadline());
        uint64 epoch = _chain.finalised;
        if (epoch == due) return;
        while (epoch < due) {
            epoch++;
            _owe(_chain.postOf(epoch).poster, bond);
            emit Finalised(epoch);
        }
        _chain.finalise(due);
    }

    /// @dev Windows that had passed before a stop have passed for good.
    function _deadline() private view returns (uint256) {
        return stopSwitch.stopped() ? stopSwitch.stoppedSince() : block.timestamp;
    }

    /// @dev Half of the bond is burnt: whoever challenges his own post has held up the network for a price.
    function _void(uint64 epoch) private {
        for (uint64 later = _chain.posted; later > epoch; later--) {
            _owe(_chain.postOf(later).poster, bond);
        }
        _chain.cut(epoch);
        _owe(msg.sender, bond / 2);
        _owe(BURNT, bond - bond / 2);
    }

    function _seatOf(AnchorHeader calldata previous, Votes calldata votes, uint256 place) private view returns (uint64) {
        if (!_recovery.follows(previous.epoch)) {
            return uint64(Committee.seatAt(previous.seed, previous.epoch + 1, votes.round, place, previous.seats));
        }
        uint32[] storage survivors = _recovery.survivors();
        return survivors[Committee.seatAt(previous.seed, previous.epoch + 1, votes.round, place, survivors.length)];
    }

    function _requireQuorum(Votes calldata votes, uint256 seats) private pure {
        if (votes.round >= Committee.ROUNDS) revert RoundUnknown(votes.round, Committee.ROUNDS);
        uint256 count = Committee.count(votes.voters, seats);
        uint256 quorum = Committee.quorum(seats);
        if (count < quorum) revert TooFewVotes(count, quorum);
        if (votes.votes.length != count * CompactTime.BYTES) revert VotesLength(votes.votes.length, count * CompactTime.BYTES);
    }

    /// @dev One form, as `abi.encodeCall` gives it: whoever judges the votes reads them as this contract did, whatever decodes them. That each
    /// number fits its type is judged where it is read.
    function _requireCanonical(Votes calldata votes) private pure {
        bool placed = uint256(bytes32(msg.data[4 + VOTES_AT - 32:])) == VOTES_AT
            && uint256(bytes32(msg.data[4 + VOTES_AT + BYTES_AT - 32:])) == BYTES_AT;
        if (!placed) revert CalldataNotCanonical();
        uint256 length = votes.votes.length;
        uint256 padding = (32 - length % 32) % 32;
        bool ends = msg.data.length == 4 + VOTES_AT + BYTES_AT + 32 + length + padding;
        if (!ends || uint256(bytes32(msg.data[msg.data.length - 32:])) & ((1 << 8 * padding) - 1) != 0) revert CalldataNotCanonical();
    }

    function _requireCounts(AnchorHeader memory header) private pure {
        bool usable = header.seats != 0 && header.seats <= header.members && header.members <= type(uint32).max;
        if (!usable) revert SeatsUnusable(header.seats, header.members);
        if ((header.checkpoint | header.height | header.timeMs) > COUNT_MAX) {
            revert CountsTooGreat(header.checkpoint, header.height, header.timeMs);
        }
    }

    function _requireKnown(AnchorHeader calldata header) private view {
        bytes32 known = _chain.anchors[header.epoch];
        bytes32 given = _digest(header);
        if (given != known) revert OtherAnchor(header.epoch, given, known);
    }

    function _requireMember(ShownMember calldata member, AnchorHeader calldata header) private pure {
        MerkleTree.requireIncluded(member.leaf.digest(), member.index, header.members, member.path, header.membersRoot);
    }

    function _digest(AnchorHeader calldata header) private view returns (bytes32) {
        return header.digest(Place({ network: network, anchors: address(this) }));
    }

    function _digest(Votes calldata votes) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(votes.round, votes.voters, votes.votes));
    }
}

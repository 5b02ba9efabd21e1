// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Domain } from "./Domain.sol";

/// @notice Who showed life in a round.
struct RecoveryRound {
    /// @dev Epoch of the final anchor whose seats may come.
    uint64 epoch;
    uint64 until;
    /// @dev Over all that came, in their order.
    bytes32 rolling;
    /// @dev Seat numbers of the anchor, in the order in which they came.
    uint32[] survivors;
    mapping(uint256 word => uint256 bits) came;
}

struct Recovery {
    uint64 round;
    /// @dev The round that was completed last, of which epoch, and the anchor it stands for.
    uint64 completedRound;
    uint64 completedEpoch;
    bytes32 anchor;
    mapping(uint256 round => RecoveryRound) rounds;
}

using Recoveries for Recovery global;

/// @title Recovery
/// @notice Specification §20.7: when more than a third of the seats is lost, those that show life are the seats.
library Recoveries {
    error RoundOpen(uint64 round, uint64 until);
    error RoundOver(uint64 round);
    error RoundNotOver(uint64 round, uint64 until);
    error RoundToComplete(uint64 round);
    error AlreadyCame(uint64 round, uint256 seat);
    error TooFewCame(uint256 came, uint256 needed);

    /// @notice Begins the next round.
    function begin(Recovery storage recovery, uint64 epoch, uint64 seats, uint64 until) internal returns (uint64 round) {
        RecoveryRound storage last = recovery.rounds[recovery.round];
        bool ofThisEpoch = recovery.round > recovery.completedRound && last.epoch == epoch;
        if (ofThisEpoch && block.timestamp < last.until) revert RoundOpen(recovery.round, last.until);
        if (ofThisEpoch && last.survivors.length >= needed(seats)) revert RoundToComplete(recovery.round);
        round = ++recovery.round;
        (recovery.rounds[round].epoch, recovery.rounds[round].until) = (epoch, until);
    }

    /// @notice Counts a seat once. @param epoch the last final one
    function come(Recovery storage recovery, uint64 epoch, uint256 seat) internal {
        uint64 number = recovery.round;
        RecoveryRound storage round = recovery.rounds[number];
        if (number == 0 || round.epoch != epoch || block.timestamp >= round.until) revert RoundOver(number);
        uint256 bit = 1 << (seat & 0xff);
        if (round.came[seat >> 8] & bit != 0) revert AlreadyCame(number, seat);
        round.came[seat >> 8] |= bit;
        round.survivors.push(uint32(seat));
        round.rolling = Domain.digest("recovery-life", abi.encodePacked(Domain.part(round.rolling), Domain.part(uint64(seat))));
    }

    /// @notice Makes those that came the seats. @param last the last final anchor, of this epoch and with so many seats
    function complete(Recovery storage recovery, uint64 epoch, bytes32 last, uint64 seats) internal returns (bytes32 anchor) {
        uint64 number = recovery.round;
        RecoveryRound storage round = recovery.rounds[number];
        if (number == recovery.completedRound || round.epoch != epoch) revert RoundOver(number);
        if (block.timestamp < round.until) revert RoundNotOver(number, round.until);
        if (round.survivors.length < needed(seats)) revert TooFewCame(round.survivors.length, needed(seats));
        anchor = Domain.digest("anchor-recovery", abi.encodePacked(Domain.part(last), Domain.part(number), Domain.part(round.rolling)));
        (recovery.completedRound, recovery.completedEpoch, recovery.anchor) = (number, epoch, anchor);
    }

    /// @notice Whether the anchor after this epoch's is voted on by those that came.
    function follows(Recovery storage recovery, uint64 epoch) internal view returns (bool) {
        return recovery.completedRound != 0 && recovery.completedEpoch == epoch;
    }

    /// @notice Seat numbers of those that came.
    function survivors(Recovery storage recovery) internal view returns (uint32[] storage) {
        return recovery.rounds[recovery.completedRound].survivors;
    }

    /// @notice More than a third: false seats alone are never that many (§13.5).
    function needed(uint64 seats) internal pure returns (uint256) {
        return seats / 3 + 1;
    }
}

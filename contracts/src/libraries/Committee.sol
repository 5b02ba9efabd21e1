// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Domain } from "./Domain.sol";

/// @title Who votes on an anchor
/// @notice Specification §20.2: every seat up to 128, beyond that 128 places, drawn with replacement so that one digest tells whose a place is.
library Committee {
    uint256 internal constant PLACES_MAX = 128;
    uint256 internal constant ROUNDS = 16;

    function places(uint256 seats) internal pure returns (uint256) {
        return seats < PLACES_MAX ? seats : PLACES_MAX;
    }

    /// @notice More than two thirds, the absent included.
    function quorum(uint256 seats) internal pure returns (uint256) {
        return places(seats) * 2 / 3 + 1;
    }

    /// @notice The number of the seat at a place.
    /// @param seed of the anchor before
    /// @param epoch of the anchor that is voted on
    function seatAt(bytes32 seed, uint64 epoch, uint8 round, uint256 place, uint256 seats) internal pure returns (uint256) {
        if (seats <= PLACES_MAX) return place;
        bytes memory draw = abi.encodePacked(Domain.part(seed), Domain.part(epoch), Domain.part(uint64(round)), Domain.part(uint64(place)));
        return uint256(Domain.digest("anchor-committee", draw)) % seats;
    }

    /// @notice How many of the places vote. Reverts where there is a bit beyond the last place.
    function count(uint128 voters, uint256 seats) internal pure returns (uint256 votes) {
        uint256 bits = voters;
        if (bits >> places(seats) != 0) revert PlaceUnknown(voters, places(seats));
        for (; bits != 0; bits &= bits - 1) {
            votes++;
        }
    }

    /// @notice The place of the vote with this number: the bit that has so many set bits below it.
    function placeOf(uint128 voters, uint256 vote) internal pure returns (uint256 place) {
        uint256 bits = voters;
        for (uint256 below = vote; below > 0 && bits != 0; below--) {
            bits &= bits - 1;
        }
        if (bits == 0) revert VoteUnknown(vote);
        for (; bits & 1 == 0; bits >>= 1) {
            place++;
        }
    }

    error PlaceUnknown(uint128 voters, uint256 places);
    error VoteUnknown(uint256 vote);
}

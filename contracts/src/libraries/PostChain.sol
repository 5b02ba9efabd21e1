// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice An anchor that was brought, and is final once its window has passed.
struct Post {
    address poster;
    uint48 finalAt;
    /// @dev Seats of the anchor before, which its voters are drawn from.
    uint48 seatsBefore;
    /// @dev Of round, voters and votes.
    bytes32 votes;
}

struct PostChain {
    /// @dev The last epoch that was posted, and the last one marked final.
    uint64 posted;
    uint64 finalised;
    /// @dev When an anchor became final, or a recovery was complete, last.
    uint64 progressAt;
    /// @dev Of the anchor posted last.
    uint64 seats;
    mapping(uint256 epoch => bytes32) anchors;
    /// @dev Used again, by epoch, so that a post costs few new slots.
    mapping(uint256 place => Post) ring;
}

using PostChains for PostChain global;

/// @title The chain of posts
/// @notice Specification §20.3: one after the other, open until their windows have passed, final from then on.
library PostChains {
    error TooManyOpen(uint256 open, uint256 max);

    uint256 internal constant OPEN_MAX = 32;

    function add(PostChain storage chain, bytes32 anchor, Post memory post, uint64 seats) internal {
        uint256 open = chain.posted - chain.finalised;
        if (open >= OPEN_MAX) revert TooManyOpen(open, OPEN_MAX);
        uint64 epoch = chain.posted + 1;
        (chain.posted, chain.seats) = (epoch, seats);
        chain.anchors[epoch] = anchor;
        chain.ring[epoch % OPEN_MAX] = post;
    }

    function postOf(PostChain storage chain, uint256 epoch) internal view returns (Post storage) {
        return chain.ring[epoch % OPEN_MAX];
    }

    /// @notice The last epoch whose window, and those of all before, have passed at a moment, in Unix seconds.
    function due(PostChain storage chain, uint256 moment) internal view returns (uint64 epoch) {
        uint64 posted = chain.posted;
        for (epoch = chain.finalised; epoch < posted && chain.postOf(epoch + 1).finalAt <= moment;) {
            epoch++;
        }
    }

    function finalise(PostChain storage chain, uint64 epoch) internal {
        (chain.finalised, chain.progressAt) = (epoch, chain.postOf(epoch).finalAt);
    }

    /// @notice Takes away this post and all after it.
    function cut(PostChain storage chain, uint64 epoch) internal {
        (chain.posted, chain.seats) = (epoch - 1, chain.postOf(epoch).seatsBefore);
    }
}

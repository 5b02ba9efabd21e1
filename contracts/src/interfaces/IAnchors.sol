// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AnchorHeader } from "../libraries/Anchor.sol";
import { MemberLeaf } from "../libraries/Leaves.sol";
import { IEscrow } from "./IEscrow.sol";

/// @notice Votes as they are posted.
struct Votes {
    /// @dev Number of the draw, 0 to 15.
    uint8 round;
    /// @dev Bit j: place j votes.
    uint128 voters;
    /// @dev 105 bytes (`CompactTime`) of each place that votes, in their order.
    bytes votes;
}

/// @notice A leaf of the members' tree, shown.
struct ShownMember {
    uint64 index;
    MemberLeaf leaf;
    bytes32[] path;
}

/// @notice Times in seconds, the bond in wei.
struct AnchorTerms {
    uint64 windowS;
    uint64 recoveryS;
    uint64 showS;
    uint256 bond;
}

/// @notice Specification §20.2, §20.3 and §20.7: what the network's epochs leave on this chain.
interface IAnchors is IEscrow {
    event Posted(uint64 indexed epoch, bytes32 indexed anchor, address indexed poster, AnchorHeader header);
    event Voided(uint64 indexed epoch, bytes32 indexed anchor, address indexed challenger, uint256 vote);
    event Finalised(uint64 indexed epoch);
    event RecoveryBegun(uint64 indexed round, uint64 indexed epoch, uint64 until);
    event LifeShown(uint64 indexed round, bytes32 indexed node, uint64 seat);
    event Recovered(uint64 indexed round, uint64 indexed epoch, bytes32 anchor, uint256 survivors);

    error TermsUnusable();
    error SignaturesMisjudged();
    error PostsStopped(uint64 until);
    error VotesHidden(address sender);
    error CalldataNotCanonical();
    error OtherEpoch(uint64 given, uint64 wanted);
    error OtherPrevious(bytes32 given, bytes32 wanted);
    error SeatsUnusable(uint64 seats, uint64 members);
    error CountsTooGreat(uint64 checkpoint, uint64 height, uint64 timeMs);
    error RoundUnknown(uint8 round, uint256 rounds);
    error TooFewVotes(uint256 votes, uint256 quorum);
    error VotesLength(uint256 given, uint256 wanted);
    error OtherVotes(uint64 epoch);
    error OtherAnchor(uint64 epoch, bytes32 given, bytes32 known);
    error OtherSeat(uint64 given, uint64 wanted);
    error VoteHolds(uint64 epoch, uint256 vote);
    error NotOpen(uint64 epoch, uint64 lastFinal, uint64 posted);
    error NotFinal(uint64 epoch, uint64 last);
    error PostsOpen(uint64 finalised, uint64 posted);
    error TooSoon(uint64 notBefore);
    error NoSeat(uint64 index, uint64 seats);

    function network() external view returns (bytes32);
    function windowS() external view returns (uint64);
    function stopS() external view returns (uint64);
    function bond() external view returns (uint256);

    /// @notice The last epoch that is final, its window just passed included.
    function lastFinal() external view returns (uint64 epoch);

    /// @notice The anchor of an epoch; zeros where none was posted. It may be open.
    function anchorOf(uint64 epoch) external view returns (bytes32);

    /// @notice What the next anchor names as previous, and how many seats vote on it.
    function tip() external view returns (uint64 epoch, bytes32 anchor, uint256 seats);

    /// @notice The anchor of this header, under this contract's network, chain and address.
    function digestOf(AnchorHeader calldata header) external view returns (bytes32);

    /// @notice Reverts unless this header's anchor is final.
    function requireFinal(AnchorHeader calldata header) external view;

    /// @notice Brings the next anchor, with the bond. Called by a transaction itself: votes that a contract passed on would be in no transaction's
    /// data, and nobody could challenge them. Its calldata is as `abi.encodeCall` gives it, for the same reason.
    function post(AnchorHeader calldata header, Votes calldata votes) external payable;

    /// @notice Takes away an open post, and all after it, because of a vote that does not hold.
    /// @param previous header of the epoch before
    /// @param vote the number of the vote, from 0
    /// @param member whoever has the place of that vote
    function challengeVote(uint64 epoch, AnchorHeader calldata previous, Votes calldata votes, uint256 vote, ShownMember calldata member)
        external;

    /// @notice Marks what is final, and gives its bonds back. Posting does the same.
    function finalise() external;

    /// @notice Opens a round in which seats show life.
    function beginRecovery() external;

    /// @notice A seat of the last final anchor shows life. @param time 105 bytes (`CompactTime`)
    function showLife(AnchorHeader calldata last, ShownMember calldata member, bytes calldata time) external;

    /// @notice Makes those that came the seats.
    function completeRecovery(AnchorHeader calldata last) external;
}

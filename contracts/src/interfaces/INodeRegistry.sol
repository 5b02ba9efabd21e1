// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AnchorHeader } from "../libraries/Anchor.sol";
import { IEscrow } from "./IEscrow.sol";
import { ShownMember } from "./IAnchors.sol";

/// @notice What a node has at stake, and who put it there.
struct Stake {
    address owner;
    /// @dev Unix seconds from which the owner may take it out; 0 until asked for.
    uint64 leavesAt;
    /// @dev In wei.
    uint256 amount;
}

/// @notice Specification §20.4: nodes by the digest of their endorsement key. A member is a leaf, and takes storage only with a stake.
interface INodeRegistry is IEscrow {
    event Staked(bytes32 indexed node, address indexed owner, uint256 amount);
    event WithdrawalRequested(bytes32 indexed node, uint64 leavesAt);
    event StakeWithdrawn(bytes32 indexed node, address indexed owner, uint256 amount);
    event Slashed(bytes32 indexed node, address indexed prover, uint256 reward, uint256 burnt);

    error WithdrawalTooShort(uint64 given, uint64 least);
    error AlreadyStaked(bytes32 node);
    error NotStaked(bytes32 node);
    error NotOwner(bytes32 node, address caller);
    error StakeTooSmall(uint256 given, uint256 least);
    error NotLastFinal(uint64 given, uint64 last);
    error NoSeat(bytes32 node);
    error NodeMarked(bytes32 node);
    error NodeNotMarked(bytes32 node);
    error NotYet(bytes32 node, uint64 leavesAt);

    /// @notice In wei.
    function stakeMin() external view returns (uint256);

    /// @notice From request to payment, in seconds.
    function withdrawalS() external view returns (uint64);

    function stakeOf(bytes32 node) external view returns (Stake memory);

    /// @notice What the chip signs so that `owner` may stake for it.
    function authorisation(bytes32 node, address owner) external view returns (bytes32);

    /// @notice Puts the first stake on a node, by the owner that its chip names.
    /// @param last header of the last final anchor
    /// @param time 105 bytes (`CompactTime`) over `authorisation(node, msg.sender)`
    function stake(AnchorHeader calldata last, ShownMember calldata member, bytes calldata time) external payable;

    /// @notice By the owner; calls a request off.
    function addStake(bytes32 node) external payable;

    /// @notice By the owner.
    function requestWithdrawal(bytes32 node) external;

    /// @notice By the owner, after the delay: credits the stake to it.
    function withdrawStake(bytes32 node) external;

    /// @notice Takes the stake of a node against which something was proven.
    function slash(bytes32 node) external;
}

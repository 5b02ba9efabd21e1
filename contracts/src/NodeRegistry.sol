// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Escrow } from "./Escrow.sol";
import { IAnchors, ShownMember } from "./interfaces/IAnchors.sol";
import { Fault, INodeDisputes, Mark } from "./interfaces/INodeDisputes.sol";
import { INodeRegistry, Stake } from "./interfaces/INodeRegistry.sol";
import { AnchorHeader } from "./libraries/Anchor.sol";
import { CompactTime } from "./libraries/CompactTime.sol";
import { Domain } from "./libraries/Domain.sol";
import { Standing } from "./libraries/Leaves.sol";
import { MerkleTree } from "./libraries/MerkleTree.sol";

/// @title The registry of nodes
/// @notice Specification §20.4. Nobody takes a stake by a word: only a proof that `NodeDisputes` has marked does.
contract NodeRegistry is INodeRegistry, Escrow {
    IAnchors public immutable anchors;
    INodeDisputes public immutable disputes;
    /// @inheritdoc INodeRegistry
    uint256 public immutable stakeMin;
    /// @inheritdoc INodeRegistry
    uint64 public immutable withdrawalS;

    mapping(bytes32 node => Stake) private _stakes;

    modifier onlyOwner(bytes32 node) {
        if (_stakes[node].owner == address(0)) revert NotStaked(node);
        if (_stakes[node].owner != msg.sender) revert NotOwner(node, msg.sender);
        _;
    }

    modifier notMarked(bytes32 node) {
        if (disputes.markOf(node).fault != Fault.None) revert NodeMarked(node);
        _;
    }

    constructor(IAnchors theAnchors, INodeDisputes theDisputes, uint256 leastStake, uint64 withdrawalSeconds) {
        uint64 least = theAnchors.windowS() + theAnchors.stopS();
        if (withdrawalSeconds <= least) revert WithdrawalTooShort(withdrawalSeconds, least);
        (anchors, disputes, stakeMin, withdrawalS) = (theAnchors, theDisputes, leastStake, withdrawalSeconds);
    }

    /// @inheritdoc INodeRegistry
    function stakeOf(bytes32 node) external view returns (Stake memory) {
        return _stakes[node];
    }

    /// @inheritdoc INodeRegistry
    function authorisation(bytes32 node, address owner) public view returns (bytes32) {
        bytes memory where =
            abi.encodePacked(Domain.part(anchors.network()), Domain.part(uint64(block.chainid)), Domain.part(address(this)));
        return Domain.digest("anchor-stake", abi.encodePacked(where, Domain.part(node), Domain.part(owner)));
    }

    /// @inheritdoc INodeRegistry
    function stake(AnchorHeader calldata last, ShownMember calldata member, bytes calldata time)
        external
        payable
        notMarked(member.leaf.node)
    {
        bytes32 node = member.leaf.node;
        if (_stakes[node].owner != address(0)) revert AlreadyStaked(node);
        if (msg.value < stakeMin) revert StakeTooSmall(msg.value, stakeMin);
        _requireSeat(last, member);
        CompactTime.requireHeld(member.leaf.key(), time, authorisation(node, msg.sender));
        _stakes[node] = Stake({ owner: msg.sender, leavesAt: 0, amount: msg.value });
        emit Staked(node, msg.sender, msg.value);
    }

    /// @inheritdoc INodeRegistry
    function addStake(bytes32 node) external payable onlyOwner(node) notMarked(node) {
        Stake storage held = _stakes[node];
        (held.amount, held.leavesAt) = (held.amount + msg.value, 0);
        emit Staked(node, msg.sender, msg.value);
    }

    /// @inheritdoc INodeRegistry
    function requestWithdrawal(bytes32 node) external onlyOwner(node) {
        uint64 leavesAt = uint64(block.timestamp) + withdrawalS;
        _stakes[node].leavesAt = leavesAt;
        emit WithdrawalRequested(node, leavesAt);
    }

    /// @inheritdoc INodeRegistry
    function withdrawStake(bytes32 node) external onlyOwner(node) notMarked(node) {
        Stake memory held = _stakes[node];
        if (held.leavesAt == 0 || block.timestamp < held.leavesAt) revert NotYet(node, held.leavesAt);
        delete _stakes[node];
        _owe(held.owner, held.amount);
        emit StakeWithdrawn(node, held.owner, held.amount);
    }

    /// @inheritdoc INodeRegistry
    /// @dev Half is burnt, so that who proves a fault of his own node loses as well. For an expulsion nobody is paid: the members decide it, and
    /// shall not gain by it.
    function slash(bytes32 node) external {
        Mark memory mark = disputes.markOf(node);
        if (mark.fault == Fault.None) revert NodeNotMarked(node);
        uint256 amount = _stakes[node].amount;
        if (amount == 0) revert NotStaked(node);
        delete _stakes[node];
        uint256 reward = mark.fault == Fault.Expelled ? 0 : amount / 2;
        _owe(mark.prover, reward);
        _owe(BURNT, amount - reward);
        emit Slashed(node, mark.prover, reward, amount - reward);
    }

    function _requireSeat(AnchorHeader calldata last, ShownMember calldata member) private view {
        if (last.epoch != anchors.lastFinal()) revert NotLastFinal(last.epoch, anchors.lastFinal());
        anchors.requireFinal(last);
        MerkleTree.requireIncluded(member.leaf.digest(), member.index, last.members, member.path, last.membersRoot);
        if (member.leaf.standing != Standing.Seat) revert NoSeat(member.leaf.node);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { NodeRegistry } from "../../src/NodeRegistry.sol";
import { IEscrow } from "../../src/interfaces/IEscrow.sol";
import { ShownMember } from "../../src/interfaces/IAnchors.sol";
import { SignedAnchor } from "../../src/interfaces/INodeDisputes.sol";
import { INodeRegistry } from "../../src/interfaces/INodeRegistry.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { CompactTime } from "../../src/libraries/CompactTime.sol";
import { Standing } from "../../src/libraries/Leaves.sol";
import { MerkleTree } from "../../src/libraries/MerkleTree.sol";
import { vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Network } from "./Network.sol";

/// @notice Stakes. Specification §20.4.
contract NodeRegistryTest is Network {
    address private staker = vm.addr(0x57a4e);
    bytes32 private node;

    function setUp() public {
        found(6, 4);
        vm.deal(staker, 100 ether);
        node = members[2].node;
    }

    function test_aSeatStakesForTheOwnerThatItsChipNames() public {
        stake(2, 3 ether);
        vm.assertEq(registry.stakeOf(node).owner, staker, "owner");
        vm.assertEq(registry.stakeOf(node).amount, 3 ether, "amount");
    }

    function test_nobodyElseBringsTheAuthorisation() public {
        bytes memory time = authorised(2, staker);
        ShownMember memory member = shownMember(2);
        AnchorHeader memory last = headers[0];
        vm.deal(challenger, 10 ether);
        bytes32 wanted = registry.authorisation(node, challenger);
        vm.expectRevert(abi.encodeWithSelector(CompactTime.NotSigned.selector, node, wanted));
        vm.prank(challenger);
        registry.stake{ value: 1 ether }(last, member, time);
    }

    function test_aStakeBelowTheLeastIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.StakeTooSmall.selector, STAKE_MIN - 1, STAKE_MIN));
        this.stakeExternal(2, STAKE_MIN - 1);
    }

    function test_whoHasNoSeatDoesNotStake() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NoSeat.selector, members[4].node));
        this.stakeExternal(4, 1 ether);
    }

    function test_aLeafThatIsNotInTheRootIsRefused() public {
        ShownMember memory member = shownMember(4);
        member.leaf.standing = Standing.Seat;
        bytes memory time = authorised(4, staker);
        AnchorHeader memory last = headers[0];
        vm.expectPartialRevert(MerkleTree.OtherRoot.selector);
        vm.prank(staker);
        registry.stake{ value: 1 ether }(last, member, time);
    }

    function test_onlyTheLastFinalAnchorTellsWhoHasASeat() public {
        finalNext();
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotLastFinal.selector, 0, 1));
        this.stakeExternal(2, 1 ether);
    }

    function test_onlyTheOwnerAdds() public {
        stake(2, 1 ether);
        vm.deal(challenger, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotOwner.selector, node, challenger));
        vm.prank(challenger);
        registry.addStake{ value: 1 }(node);
        vm.prank(staker);
        registry.addStake{ value: 1 ether }(node);
        vm.assertEq(registry.stakeOf(node).amount, 2 ether, "sum");
    }

    function test_aStakeLeavesAfterTheDelay() public {
        stake(2, 5 ether);
        vm.startPrank(staker);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotYet.selector, node, 0));
        registry.withdrawStake(node);
        registry.requestWithdrawal(node);
        vm.warp(block.timestamp + WITHDRAWAL_S - 1);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotYet.selector, node, block.timestamp + 1));
        registry.withdrawStake(node);
        vm.warp(block.timestamp + 1);
        registry.withdrawStake(node);
        registry.withdraw(payable(staker));
        vm.assertEq(staker.balance, 100 ether, "all of it");
        vm.assertEq(registry.stakeOf(node).owner, address(0), "no storage left");
    }

    function test_whoeverIsMarkedLosesHalfToTheProverEvenWhileLeaving() public {
        stake(2, 5 ether);
        vm.prank(staker);
        registry.requestWithdrawal(node);
        vm.warp(block.timestamp + WITHDRAWAL_S);
        markTwoAnchors(2);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeMarked.selector, node));
        vm.prank(staker);
        registry.withdrawStake(node);
        registry.slash(node);
        vm.assertEq(registry.owed(challenger), 2.5 ether, "prover");
        vm.assertEq(registry.owed(address(0)), 2.5 ether, "burnt");
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotStaked.selector, node));
        registry.slash(node);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeMarked.selector, node));
        this.stakeExternal(2, 1 ether);
    }

    function test_nobodyGainsByAnExpulsion() public {
        stake(2, 4 ether);
        members[2].standing = Standing.Expelled;
        AnchorHeader memory header = finalNext();
        ShownMember memory member = shownMember(2);
        vm.prank(challenger);
        nodeDisputes.proveExpelled(header, member);
        registry.slash(node);
        vm.assertEq(registry.owed(challenger), 0, "prover");
        vm.assertEq(registry.owed(address(0)), 4 ether, "burnt");
    }

    function test_withoutAMarkNothingIsSlashed() public {
        stake(2, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeNotMarked.selector, node));
        registry.slash(node);
    }

    function test_aWithdrawalDelayWithinTheWindowIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.WithdrawalTooShort.selector, WINDOW_S + STOP_S, WINDOW_S + STOP_S));
        new NodeRegistry(anchors, nodeDisputes, STAKE_MIN, WINDOW_S + STOP_S);
    }

    function test_nothingOwedIsNotPaid() public {
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NothingOwed.selector, staker));
        vm.prank(staker);
        registry.withdraw(payable(staker));
    }

    function test_stakesAddUp(uint64[4] calldata amounts) public {
        uint256 sum = 0;
        for (uint64 i = 0; i < 4; i++) {
            uint256 amount = STAKE_MIN + amounts[i];
            sum += amount;
            stake(i, amount);
        }
        vm.assertEq(address(registry).balance, sum, "balance");
    }

    function stakeExternal(uint64 member, uint256 amount) external {
        stake(member, amount);
    }

    function stake(uint64 member, uint256 amount) private {
        AnchorHeader memory last = headers[0];
        bytes memory time = authorised(member, staker);
        ShownMember memory shown = shownMember(member);
        vm.prank(staker);
        registry.stake{ value: amount }(last, shown, time);
    }

    function authorised(uint64 member, address owner_) private view returns (bytes memory) {
        return Chips.compactTime(secretOf(member), keyOf(member), registry.authorisation(members[member].node, owner_));
    }

    function markTwoAnchors(uint64 member) private {
        AnchorHeader memory first = upcoming();
        AnchorHeader memory second = upcoming();
        second.blockId = keccak256("another block");
        ShownMember memory shown = shownMember(member);
        SignedAnchor memory left = SignedAnchor({ header: first, vote: voteOf(member, first) });
        SignedAnchor memory right = SignedAnchor({ header: second, vote: voteOf(member, second) });
        vm.prank(challenger);
        nodeDisputes.proveTwoAnchors(headers[0], shown, left, right);
    }
}

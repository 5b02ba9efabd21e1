// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { vm } from "../Vm.sol";
import { Handler } from "./Handler.sol";

/// @notice What holds whatever is done, in whatever order. Specification §20.
contract InvariantsTest {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev So that none of the rules below holds only because a way was never gone to its end.
    function test_everyWayLeadsSomewhere() external {
        handler.stake(0, 1 ether);
        handler.stake(1, 1 ether);
        handler.accuse(0);
        handler.slash(0);
        handler.postFalse();
        handler.challenge(0);
        handler.recover(14);
        handler.postGood();
        handler.requestWithdrawal(1);
        handler.stop();
        handler.passDays(19);
        handler.passDays(19);
        handler.withdrawStake(1);
        handler.look();
        string[7] memory ways = ["staked", "marked", "slashed", "voided", "recovered", "stopped", "left"];
        for (uint256 i = 0; i < ways.length; i++) {
            vm.assertGe(handler.times(ways[i]), 1, ways[i]);
        }
        vm.assertEq(handler.seenUntil(), 1, "an anchor of those that came is final");
    }

    function invariant_aFinalAnchorNeverChangesAndEpochsHaveNoGaps() external {
        handler.look();
    }

    function invariant_theContractsHoldBondsStakesAndDebtsAndNothingElse() external {
        (uint256 held, uint256 due) = handler.books();
        vm.assertEq(held, due, "balance");
    }

    function invariant_nobodyIsMarkedButWhoSignedTwice() external view {
        vm.assertFalse(handler.isHonestMarked(), "an honest member is marked");
    }

    function invariant_stopsTakeATenthOfTheTime() external view {
        uint256 passed = block.timestamp - handler.since();
        vm.assertLe(handler.stoppedS(), passed / 10 + 3 days, "stopped for longer");
    }
}

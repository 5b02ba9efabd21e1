// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { Ownable2Step } from "@openzeppelin/contracts/access/Ownable2Step.sol";
import { IStopSwitch } from "./interfaces/IStopSwitch.sol";

/// @title The stop switch
/// @notice Specification §20.5. It has no way to a root or a stake: other contracts only ask it whether posts are stopped.
contract StopSwitch is IStopSwitch, Ownable2Step {
    /// @dev Of ten times its length, a stop takes one: whoever has the guardian's key delays, and stops nothing.
    uint64 private constant TIMES = 10;

    /// @inheritdoc IStopSwitch
    uint64 public immutable stopS;

    address public guardian;
    /// @inheritdoc IStopSwitch
    uint64 public stoppedSince;
    /// @inheritdoc IStopSwitch
    uint64 public stoppedUntil;

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _;
    }

    constructor(address owner, address firstGuardian, uint64 stopSeconds) Ownable(owner) {
        if (stopSeconds == 0) revert StopTooShort();
        stopS = stopSeconds;
        _name(firstGuardian);
    }

    /// @inheritdoc IStopSwitch
    function stopped() external view returns (bool) {
        return block.timestamp < stoppedUntil;
    }

    /// @inheritdoc IStopSwitch
    function stop() external onlyGuardian {
        uint64 notBefore = stoppedSince + TIMES * stopS;
        if (block.timestamp < notBefore) revert TooSoon(notBefore);
        (stoppedSince, stoppedUntil) = (uint64(block.timestamp), uint64(block.timestamp) + stopS);
        emit Stopped(stoppedUntil);
    }

    /// @inheritdoc IStopSwitch
    function resume() external onlyGuardian {
        if (block.timestamp < stoppedUntil) stoppedUntil = uint64(block.timestamp);
        emit Resumed();
    }

    /// @inheritdoc IStopSwitch
    function nameGuardian(address next) external onlyOwner {
        _name(next);
    }

    function _name(address next) private {
        guardian = next;
        emit GuardianNamed(next);
    }
}

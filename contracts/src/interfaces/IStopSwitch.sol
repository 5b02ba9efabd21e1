// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Specification §20.5: holds up posts for a while, and can do nothing else.
interface IStopSwitch {
    event GuardianNamed(address indexed guardian);
    event Stopped(uint64 until);
    event Resumed();

    error NotGuardian(address caller);
    error TooSoon(uint64 notBefore);
    error StopTooShort();

    /// @notice The longest stop, in seconds; after its beginning none begins for ten times as long.
    function stopS() external view returns (uint64);

    /// @notice Beginning of the last stop, in Unix seconds.
    function stoppedSince() external view returns (uint64);

    /// @notice End of the stop, in Unix seconds; past where nothing is stopped.
    function stoppedUntil() external view returns (uint64);

    function stopped() external view returns (bool);

    /// @notice By the guardian.
    function stop() external;

    /// @notice By the guardian: ends the stop early.
    function resume() external;

    /// @notice By the owner.
    function nameGuardian(address guardian) external;
}

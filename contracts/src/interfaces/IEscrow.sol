// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Money that a contract owes, for its owner to fetch: nobody is paid in a call of somebody else.
interface IEscrow {
    event Withdrawn(address indexed owner, address indexed to, uint256 amount);

    error NothingOwed(address owner);
    error PaymentRefused(address to, uint256 amount);
    error TooLittlePaid(uint256 available, uint256 wanted);

    /// @notice What the contract owes somebody, in wei. What it owes the zero address is burnt.
    function owed(address owner) external view returns (uint256);

    /// @notice Pays out everything that is owed to the caller.
    function withdraw(address payable to) external;
}

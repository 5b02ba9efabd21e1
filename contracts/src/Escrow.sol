// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IEscrow } from "./interfaces/IEscrow.sol";

/// @title What a contract owes
/// @notice Specification §20.3, last paragraph.
abstract contract Escrow is IEscrow {
    /// @dev Nobody calls as the zero address: what is owed to it stays for ever.
    address internal constant BURNT = address(0);

    /// @inheritdoc IEscrow
    mapping(address owner => uint256) public owed;

    /// @inheritdoc IEscrow
    function withdraw(address payable to) external {
        uint256 amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        owed[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        (bool paid,) = to.call{ value: amount }("");
        if (!paid) revert PaymentRefused(to, amount);
    }

    function _owe(address owner, uint256 amount) internal {
        owed[owner] += amount;
    }

    /// @dev From what the caller sends and is owed; the rest stays owed.
    function _take(uint256 amount) internal {
        uint256 available = owed[msg.sender] + msg.value;
        if (available < amount) revert TooLittlePaid(available, amount);
        owed[msg.sender] = available - amount;
    }
}

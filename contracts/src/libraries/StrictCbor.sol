// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A reader of strict CBOR
/// @notice RFC 8949 §4.2 in the strict form of Specification §2.1: shortest lengths, no tags, no indefinite items. A reader that knows the
/// shape takes item after item, in the order of the encoded keys; where another item stands, it reverts.
library StrictCbor {
    error UnexpectedItem(uint256 position);
    error TrailingBytes(uint256 position);

    uint8 private constant UNSIGNED = 0;
    uint8 private constant BYTE_STRING = 2;
    uint8 private constant TEXT = 3;
    uint8 private constant MAP = 5;

    /// @notice A map of exactly `entries`.
    /// @return next where its first key begins
    function map(bytes calldata encoded, uint256 position, uint256 entries) internal pure returns (uint256 next) {
        uint256 found;
        (found, next) = _head(encoded, position, MAP);
        if (found != entries) revert UnexpectedItem(position);
    }

    /// @notice This key and no other.
    /// @return next where its value begins
    function key(bytes calldata encoded, uint256 position, string memory name) internal pure returns (uint256 next) {
        uint256 length;
        (length, next) = _head(encoded, position, TEXT);
        if (encoded.length - next < length) revert UnexpectedItem(position);
        if (keccak256(encoded[next:next + length]) != keccak256(bytes(name))) revert UnexpectedItem(position);
        next += length;
    }

    /// @notice A whole number between `min` and `max`.
    function number(bytes calldata encoded, uint256 position, uint64 min, uint64 max) internal pure returns (uint64 value, uint256 next) {
        (value, next) = _head(encoded, position, UNSIGNED);
        if (value < min || value > max) revert UnexpectedItem(position);
    }

    /// @notice A byte string of `min` to `max` bytes.
    function byteString(bytes calldata encoded, uint256 position, uint256 min, uint256 max)
        internal
        pure
        returns (bytes calldata value, uint256 next)
    {
        uint64 length;
        (length, next) = _head(encoded, position, BYTE_STRING);
        if (length < min || length > max || encoded.length - next < length) revert UnexpectedItem(position);
        value = encoded[next:next + length];
        next += length;
    }

    /// @notice A byte string of 32 bytes.
    function digest(bytes calldata encoded, uint256 position) internal pure returns (bytes32 value, uint256 next) {
        bytes calldata content;
        (content, next) = byteString(encoded, position, 32, 32);
        value = bytes32(content);
    }

    /// @notice Nothing stands after the last item.
    function end(bytes calldata encoded, uint256 position) internal pure {
        if (position != encoded.length) revert TrailingBytes(position);
    }

    /// @dev Major type and argument, in the shortest form.
    function _head(bytes calldata encoded, uint256 position, uint8 major) private pure returns (uint64 argument, uint256 next) {
        if (position >= encoded.length || uint8(encoded[position]) >> 5 != major) revert UnexpectedItem(position);
        uint256 form = uint8(encoded[position]) & 0x1f;
        next = position + 1;
        if (form < 24) return (uint64(form), next);
        if (form > 27) revert UnexpectedItem(position);
        uint256 length = 1 << (form - 24);
        if (encoded.length - next < length) revert UnexpectedItem(position);
        argument = uint64(bytes8(encoded[next:next + length]) >> (64 - 8 * length));
        uint64 least = form == 24 ? 24 : uint64(1 << (4 * length));
        if (argument < least) revert UnexpectedItem(position);
        next += length;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Digests with a purpose
/// @notice D(domain, part…) of Specification §2.5: SHA-256 over a domain and length-framed parts, the same bytes as `protocol/digest.ts`.
/// @dev `Domain.digest("anchor-credit", abi.encodePacked(Domain.part(node), Domain.part(credit)))`
library Domain {
    /// @param domain one of the domains of §2.5
    /// @param parts the framed parts, one after the other
    function digest(string memory domain, bytes memory parts) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("capstan/1/", domain, bytes1(0), parts));
    }

    /// @notice A digest, an identifier or a coordinate, framed.
    function part(bytes32 value) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(32), value);
    }

    /// @notice A count or height, framed: 8 bytes, big-endian.
    function part(uint64 value) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(8), value);
    }

    /// @notice An address of this chain, framed.
    function part(address value) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(20), value);
    }

    /// @notice Bytes of any length, framed.
    function part(bytes memory value) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(value.length), value);
    }
}

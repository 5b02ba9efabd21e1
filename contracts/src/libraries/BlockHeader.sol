// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { StrictCbor } from "./StrictCbor.sol";

/// @notice Whose block it is, and of which height of which network.
struct BlockHeader {
    bytes32 network;
    uint64 height;
    bytes32 parent;
    bytes32 node;
}

/// @title Headers of blocks
/// @notice Specification §11.1, read whole and as strictly as `protocol/chain/block.ts` does.
library BlockHeaders {
    error HeaderTooLarge(uint256 given, uint256 max);

    /// @dev The limits of `protocol/limits.ts`, in bytes.
    uint256 private constant HEADER_MAX = 1024;
    uint256 private constant TIME_ATTESTATION_MAX = 512;

    uint64 private constant SAFE_INTEGER_MAX = 2 ** 53 - 1;

    /// @notice Reverts where the bytes are no header: StrictCbor.UnexpectedItem says where.
    function read(bytes calldata encoded) internal pure returns (BlockHeader memory header) {
        if (encoded.length > HEADER_MAX) revert HeaderTooLarge(encoded.length, HEADER_MAX);
        uint256 position = StrictCbor.map(encoded, 0, 10);
        (, position) = StrictCbor.byteString(encoded, StrictCbor.key(encoded, position, "draw"), 256, 256);
        (header.node, position) = StrictCbor.digest(encoded, StrictCbor.key(encoded, position, "node"));
        (, position) = _certificate(encoded, StrictCbor.key(encoded, position, "start"));
        (, position) = StrictCbor.digest(encoded, StrictCbor.key(encoded, position, "state"));
        (header.height, position) = StrictCbor.number(encoded, StrictCbor.key(encoded, position, "height"), 1, SAFE_INTEGER_MAX);
        (header.parent, position) = StrictCbor.digest(encoded, StrictCbor.key(encoded, position, "parent"));
        (, position) = StrictCbor.number(encoded, StrictCbor.key(encoded, position, "timeMs"), 0, SAFE_INTEGER_MAX);
        (header.network, position) = StrictCbor.digest(encoded, StrictCbor.key(encoded, position, "network"));
        (, position) = StrictCbor.number(encoded, StrictCbor.key(encoded, position, "version"), 1, 1);
        (, position) = StrictCbor.digest(encoded, StrictCbor.key(encoded, position, "transactions"));
        StrictCbor.end(encoded, position);
    }

    /// @notice TPMS_ATTEST of the start certificate, unjudged, of a header that can be read.
    function startAttestation(bytes calldata encoded) internal pure returns (bytes calldata attestation) {
        uint256 position = StrictCbor.map(encoded, 0, 10);
        (, position) = StrictCbor.byteString(encoded, StrictCbor.key(encoded, position, "draw"), 256, 256);
        (, position) = StrictCbor.digest(encoded, StrictCbor.key(encoded, position, "node"));
        (attestation,) = _certificate(encoded, StrictCbor.key(encoded, position, "start"));
    }

    function _certificate(bytes calldata encoded, uint256 position) private pure returns (bytes calldata attestation, uint256 next) {
        position = StrictCbor.map(encoded, position, 2);
        (, position) = StrictCbor.byteString(encoded, StrictCbor.key(encoded, position, "signature"), 64, 64);
        return StrictCbor.byteString(encoded, StrictCbor.key(encoded, position, "attestation"), 1, TIME_ATTESTATION_MAX);
    }
}

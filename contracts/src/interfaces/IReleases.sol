// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a reference is of (§4.4).
enum MeasuredKind {
    Firmware,
    Addon,
    Board
}

/// @notice When a digest is known to be good, in Unix seconds: from `validFrom` on, no longer at `validUntil`.
struct Release {
    bytes32 manifest;
    uint64 validFrom;
    uint64 validUntil;
}

/// @notice Specification §20.5: digests of firmware, addons and boards that are known to be good, each for a while.
interface IReleases {
    event ReleaseAdded(MeasuredKind indexed kind, bytes32 indexed digest, bytes32 manifest, uint64 validFrom, uint64 validUntil);
    event ReleaseEnds(MeasuredKind indexed kind, bytes32 indexed digest, uint64 validUntil);

    error ReleaseKnown(MeasuredKind kind, bytes32 digest);
    error ReleaseUnknown(MeasuredKind kind, bytes32 digest);
    error ReleaseOver(uint64 validUntil);
    error ValidTooSoon(uint64 validFrom, uint64 earliest);
    error WindowEmpty(uint64 validFrom, uint64 validUntil);
    error NotLonger(uint64 validUntil, uint64 given);

    /// @notice At least so long before it counts a release is added, in seconds.
    function delayS() external view returns (uint64);

    /// @notice At least so long a revoked release counts on, in seconds.
    function noticeS() external view returns (uint64);

    function release(MeasuredKind kind, bytes32 digest) external view returns (Release memory);

    /// @notice Whether a digest was good at a moment. No later call changes the answer for a moment that is past.
    /// @param atMs Unix ms
    function wasGood(MeasuredKind kind, bytes32 digest, uint64 atMs) external view returns (bool);

    /// @notice By the owner. @param manifest digest of the signed manifest
    function add(MeasuredKind kind, bytes32 digest, bytes32 manifest, uint64 validFrom, uint64 validUntil) external;

    /// @notice By the owner: a release that is not over ends later.
    function extend(MeasuredKind kind, bytes32 digest, uint64 validUntil) external;

    /// @notice By the owner: it ends after the notice, or when it would have ended anyway.
    function revoke(MeasuredKind kind, bytes32 digest) external;
}

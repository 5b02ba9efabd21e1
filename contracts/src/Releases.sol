// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { Ownable2Step } from "@openzeppelin/contracts/access/Ownable2Step.sol";
import { IReleases, MeasuredKind, Release } from "./interfaces/IReleases.sol";

/// @title Releases
/// @notice Specification §20.5. Nothing about a past moment can be changed, so a dispute about it has one answer for ever.
contract Releases is IReleases, Ownable2Step {
    uint64 private constant MS_PER_S = 1000;

    /// @inheritdoc IReleases
    uint64 public immutable delayS;
    /// @inheritdoc IReleases
    uint64 public immutable noticeS;

    mapping(MeasuredKind kind => mapping(bytes32 digest => Release)) private _releases;

    constructor(address owner, uint64 delaySeconds, uint64 noticeSeconds) Ownable(owner) {
        (delayS, noticeS) = (delaySeconds, noticeSeconds);
    }

    /// @inheritdoc IReleases
    function release(MeasuredKind kind, bytes32 digest) external view returns (Release memory) {
        return _releases[kind][digest];
    }

    /// @inheritdoc IReleases
    function wasGood(MeasuredKind kind, bytes32 digest, uint64 atMs) external view returns (bool) {
        Release storage known = _releases[kind][digest];
        return known.validFrom <= atMs / MS_PER_S && atMs / MS_PER_S < known.validUntil;
    }

    /// @inheritdoc IReleases
    function add(MeasuredKind kind, bytes32 digest, bytes32 manifest, uint64 validFrom, uint64 validUntil) external onlyOwner {
        if (_releases[kind][digest].validUntil != 0) revert ReleaseKnown(kind, digest);
        uint64 earliest = uint64(block.timestamp) + delayS;
        if (validFrom < earliest) revert ValidTooSoon(validFrom, earliest);
        if (validUntil <= validFrom) revert WindowEmpty(validFrom, validUntil);
        _releases[kind][digest] = Release({ manifest: manifest, validFrom: validFrom, validUntil: validUntil });
        emit ReleaseAdded(kind, digest, manifest, validFrom, validUntil);
    }

    /// @inheritdoc IReleases
    function extend(MeasuredKind kind, bytes32 digest, uint64 validUntil) external onlyOwner {
        Release storage known = _notOver(kind, digest);
        if (validUntil <= known.validUntil) revert NotLonger(known.validUntil, validUntil);
        _end(kind, digest, validUntil);
    }

    /// @inheritdoc IReleases
    function revoke(MeasuredKind kind, bytes32 digest) external onlyOwner {
        uint64 ends = _notOver(kind, digest).validUntil;
        uint64 afterNotice = uint64(block.timestamp) + noticeS;
        _end(kind, digest, ends < afterNotice ? ends : afterNotice);
    }

    function _notOver(MeasuredKind kind, bytes32 digest) private view returns (Release storage known) {
        known = _releases[kind][digest];
        if (known.validUntil == 0) revert ReleaseUnknown(kind, digest);
        if (known.validUntil <= block.timestamp) revert ReleaseOver(known.validUntil);
    }

    function _end(MeasuredKind kind, bytes32 digest, uint64 validUntil) private {
        _releases[kind][digest].validUntil = validUntil;
        emit ReleaseEnds(kind, digest, validUntil);
    }
}

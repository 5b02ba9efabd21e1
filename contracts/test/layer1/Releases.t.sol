// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { Releases } from "../../src/Releases.sol";
import { IReleases, MeasuredKind } from "../../src/interfaces/IReleases.sol";
import { vm } from "../Vm.sol";

/// @notice Releases. Specification §20.5.
contract ReleasesTest {
    Releases private releases;
    bytes32 private constant FIRST = keccak256("first");
    bytes32 private constant SECOND = keccak256("second");
    uint64 private start;

    function setUp() public {
        vm.warp(1_800_000_000);
        releases = new Releases(address(this), 1 days, 7 days);
        start = uint64(block.timestamp) + 1 days;
    }

    function test_aReleaseIsGoodInItsWindow() public {
        add(FIRST, start, start + 30 days);
        vm.assertFalse(isGood(FIRST, start - 1), "a second early");
        vm.assertTrue(isGood(FIRST, start), "from");
        vm.assertTrue(isGood(FIRST, start + 30 days - 1), "to");
        vm.assertFalse(isGood(FIRST, start + 30 days), "until");
    }

    function test_windowsOverlap() public {
        add(FIRST, start, start + 30 days);
        add(SECOND, start + 20 days, start + 60 days);
        vm.assertTrue(isGood(FIRST, start + 25 days) && isGood(SECOND, start + 25 days), "both");
    }

    function test_aDigestIsGoodAsItsKindAlone() public {
        add(FIRST, start, start + 30 days);
        vm.assertFalse(releases.wasGood(MeasuredKind.Addon, FIRST, start * 1000), "as another kind");
        vm.assertFalse(releases.wasGood(MeasuredKind.Firmware, SECOND, start * 1000), "another digest");
    }

    function test_nothingIsGoodBeforeTheDelay(uint64 early) public {
        early = early % (1 days);
        vm.expectRevert(abi.encodeWithSelector(IReleases.ValidTooSoon.selector, start - 1 - early, start));
        add(FIRST, start - 1 - early, start + 30 days);
    }

    function test_anEmptyWindowIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IReleases.WindowEmpty.selector, start, start));
        add(FIRST, start, start);
    }

    function test_aReleaseIsAddedOnce() public {
        add(FIRST, start, start + 30 days);
        vm.expectRevert(abi.encodeWithSelector(IReleases.ReleaseKnown.selector, MeasuredKind.Firmware, FIRST));
        add(FIRST, start, start + 60 days);
    }

    function test_revokingGivesNotice() public {
        add(FIRST, start, start + 30 days);
        vm.warp(start + 1 days);
        releases.revoke(MeasuredKind.Firmware, FIRST);
        vm.assertTrue(isGood(FIRST, start + 8 days - 1), "notice");
        vm.assertFalse(isGood(FIRST, start + 8 days), "then over");
    }

    function test_revokingLengthensNothing() public {
        add(FIRST, start, start + 3 days);
        vm.warp(start + 1 days);
        releases.revoke(MeasuredKind.Firmware, FIRST);
        vm.assertFalse(isGood(FIRST, start + 3 days), "ends as it would have");
    }

    function test_noCallChangesAPastMoment(uint64 from, uint64 length, uint64 now_, uint64 back, bool revoke) public {
        (from, length) = (start + from % 100 days, 1 + length % 100 days);
        add(FIRST, from, from + length);
        vm.warp(block.timestamp + now_ % 250 days);
        uint64 past = uint64(block.timestamp) - back % 250 days;
        bool before = isGood(FIRST, past);
        if (revoke) {
            try releases.revoke(MeasuredKind.Firmware, FIRST) { } catch { }
        } else {
            try releases.extend(MeasuredKind.Firmware, FIRST, from + length + 10 days) { } catch { }
        }
        vm.assertTrue(isGood(FIRST, past) == before, "the same answer");
    }

    function test_whatIsOverIsNotExtended() public {
        add(FIRST, start, start + 3 days);
        vm.warp(start + 3 days);
        vm.expectRevert(abi.encodeWithSelector(IReleases.ReleaseOver.selector, start + 3 days));
        releases.extend(MeasuredKind.Firmware, FIRST, start + 9 days);
        vm.expectRevert(abi.encodeWithSelector(IReleases.ReleaseUnknown.selector, MeasuredKind.Firmware, SECOND));
        releases.revoke(MeasuredKind.Firmware, SECOND);
    }

    function test_extendingShortensNothing() public {
        add(FIRST, start, start + 3 days);
        vm.expectRevert(abi.encodeWithSelector(IReleases.NotLonger.selector, start + 3 days, start + 2 days));
        releases.extend(MeasuredKind.Firmware, FIRST, start + 2 days);
        releases.extend(MeasuredKind.Firmware, FIRST, start + 9 days);
        vm.assertTrue(isGood(FIRST, start + 5 days), "longer");
    }

    function test_onlyTheOwnerAddsExtendsAndRevokes() public {
        add(FIRST, start, start + 30 days);
        address stranger = vm.addr(0xbad);
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        releases.add(MeasuredKind.Firmware, SECOND, 0, start, start + 1);
        vm.expectRevert(refusal);
        releases.extend(MeasuredKind.Firmware, FIRST, start + 90 days);
        vm.expectRevert(refusal);
        releases.revoke(MeasuredKind.Firmware, FIRST);
    }

    function test_ownershipIsTakenInTwoSteps() public {
        address other = vm.addr(0x0e8);
        releases.transferOwnership(other);
        vm.assertEq(releases.owner(), address(this), "not yet");
        vm.prank(other);
        releases.acceptOwnership();
        vm.assertEq(releases.owner(), other, "now");
    }

    function add(bytes32 digest, uint64 from, uint64 until) private {
        releases.add(MeasuredKind.Firmware, digest, keccak256("manifest"), from, until);
    }

    function isGood(bytes32 digest, uint64 atS) private view returns (bool) {
        return releases.wasGood(MeasuredKind.Firmware, digest, atS * 1000);
    }
}

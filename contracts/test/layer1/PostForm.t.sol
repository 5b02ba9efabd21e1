// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Anchors } from "../../src/Anchors.sol";
import { AnchorTerms, IAnchors, Votes } from "../../src/interfaces/IAnchors.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { vm } from "../Vm.sol";
import { Network } from "./Network.sol";

/// @notice A post is read by all as the contract reads it: one form of calldata, and counts that devices count with. Specification §20.3.
contract PostFormTest is Network {
    uint256 private constant VOTES_WORD = 4 + 12 * 32;
    uint256 private constant BYTES_WORD = VOTES_WORD + 3 * 32;
    uint256 private constant PADDING = 19;

    bytes private canonical;
    AnchorHeader private header;

    function setUp() public {
        found(7, 7);
        header = upcoming();
        canonical = abi.encodeCall(IAnchors.post, (header, quorum(header)));
    }

    function test_canonicalCalldataIsTaken() public {
        (bool done,) = send(canonical);
        vm.assertTrue(done, "taken");
    }

    function test_calldataWithoutItsPaddingIsRefused(uint256 cut) public {
        refused(part(canonical, 0, canonical.length - 1 - cut % PADDING), "cut");
    }

    function test_calldataWithSomethingBehindIsRefused() public {
        refused(abi.encodePacked(canonical, bytes1(0)), "a byte");
        refused(abi.encodePacked(canonical, bytes32(0)), "a word");
    }

    function test_paddingThatIsNotZeroIsRefused(uint256 place, uint8 value) public {
        vm.assume(value != 0);
        bytes memory data = canonical;
        data[data.length - 1 - place % PADDING] = bytes1(value);
        refused(data, "padding");
    }

    function test_votesThatBeginElsewhereAreRefused() public {
        bytes memory header_ = part(canonical, 0, VOTES_WORD);
        bytes memory votes = part(canonical, VOTES_WORD + 32, canonical.length);
        refused(abi.encodePacked(header_, uint256(14 * 32), uint256(0), votes), "a word later");
    }

    function test_bytesOfVotesThatBeginElsewhereAreRefused() public {
        bytes memory before = part(canonical, 0, BYTES_WORD);
        bytes memory votes = part(canonical, BYTES_WORD + 32, canonical.length);
        refused(abi.encodePacked(before, uint256(4 * 32), uint256(0), votes), "a word later");
    }

    /// @dev Offsets count from where the votes begin, and one below zero leads back into the data.
    function test_bytesOfVotesBeforeThemAreRefused() public {
        bytes memory votes = part(canonical, BYTES_WORD + 32, canonical.length);
        bytes memory before = abi.encodePacked(part(canonical, 0, VOTES_WORD), 13 * 32 + votes.length, votes);
        refused(abi.encodePacked(before, uint256(0), uint256(0x1f), -int256(votes.length)), "backwards");
    }

    function test_whatIsTakenIsCanonical(uint256 place, uint8 value, uint8 more) public {
        bytes memory data = canonical;
        data[4 + place % (data.length - 4)] = bytes1(value);
        for (uint256 i = 0; i < more % 3; i++) {
            data = abi.encodePacked(data, value);
        }
        (bool done,) = send(data);
        if (done) vm.assertEq(this.encodedAnew(data), data, "one form");
    }

    function test_countsFrom2To53AreRefused(uint64 count, uint8 which) public {
        vm.assume(count >= 1 << 53);
        header = withCount(header, which, count);
        (bool done, bytes memory said) = send(abi.encodeCall(IAnchors.post, (header, quorum(header))));
        vm.assertFalse(done, "taken");
        bytes memory words = abi.encodeWithSelector(IAnchors.CountsTooGreat.selector, header.checkpoint, header.height, header.timeMs);
        vm.assertEq(said, words, "why");
    }

    function test_theGreatestCountsAreTaken() public {
        for (uint8 which = 0; which < 3; which++) {
            header = withCount(header, which, (1 << 53) - 1);
        }
        (bool done,) = send(abi.encodeCall(IAnchors.post, (header, quorum(header))));
        vm.assertTrue(done, "taken");
    }

    function test_foundersCountsFrom2To53AreRefused() public {
        AnchorHeader memory founders = headers[0];
        founders.timeMs = 1 << 53;
        vm.expectRevert(abi.encodeWithSelector(IAnchors.CountsTooGreat.selector, 0, 0, 1 << 53));
        new Anchors(NETWORK, founders, AnchorTerms(WINDOW_S, RECOVERY_S, SHOW_S, BOND), stopSwitch);
    }

    /// @notice The call that these bytes are to the contract, in the form that they should have.
    function encodedAnew(bytes calldata data) external pure returns (bytes memory) {
        (AnchorHeader memory decoded, Votes memory votes) = abi.decode(data[4:], (AnchorHeader, Votes));
        return abi.encodeCall(IAnchors.post, (decoded, votes));
    }

    function refused(bytes memory data, string memory what) private {
        (bool done, bytes memory said) = send(data);
        vm.assertFalse(done, what);
        vm.assertEq(said, abi.encodeWithSelector(IAnchors.CalldataNotCanonical.selector), what);
    }

    function send(bytes memory data) private returns (bool, bytes memory) {
        vm.prank(poster, poster);
        return address(anchors).call{ value: BOND }(data);
    }

    function withCount(AnchorHeader memory given, uint8 which, uint64 count) private pure returns (AnchorHeader memory) {
        if (which % 3 == 0) given.checkpoint = count;
        else if (which % 3 == 1) given.height = count;
        else given.timeMs = count;
        return given;
    }

    function part(bytes memory whole, uint256 begins, uint256 ends) private pure returns (bytes memory bytes_) {
        bytes_ = new bytes(ends - begins);
        for (uint256 i = 0; i < bytes_.length; i++) {
            bytes_[i] = whole[begins + i];
        }
    }
}

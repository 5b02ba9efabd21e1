// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { SignedAnchor } from "../../src/interfaces/INodeDisputes.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { Committee } from "../../src/libraries/Committee.sol";
import { hardfork, vm } from "../Vm.sol";
import { Chips } from "../layer1/Chips.sol";
import { Network } from "../layer1/Network.sol";

/// @notice What an epoch and its exceptions cost as transactions of their own, their 21,000 and their calldata included. An epoch is one
/// transaction: posting marks what has become final meanwhile. From the second use of the ring on, as it is for all of a network's life.
contract Layer1Gas is Network {
    function test_epochOf10Seats() external {
        _measureEpoch("epoch, 10 seats", 10, 150_000);
    }

    /// @dev As at any number of seats from 128 on: 24 of these a day are below 1,100 gas for each of 10,000 nodes.
    function test_epochOf128Places() external {
        _measureEpoch("epoch, 128 places", 200, uint256(11_000_000) / 24);
    }

    function test_challenge() external {
        found(200, 200);
        AnchorHeader memory header = upcoming();
        Votes memory votes = quorum(header);
        votes.votes[40] ^= 0x01;
        post(header, votes);
        uint64 seat = uint64(Committee.seatAt(headers[0].seed, 1, 0, 0, 200));
        ShownMember memory member = shownMember(seat);
        anchors.challengeVote(1, headers[0], votes, 0, member);
        _note("challenged vote, 200 seats", 400_000, 700_000);
    }

    function test_stake() external {
        found(200, 200);
        vm.deal(address(this), 1 ether);
        bytes memory time = Chips.compactTime(secretOf(9), keyOf(9), registry.authorisation(members[9].node, address(this)));
        registry.stake{ value: 1 ether }(headers[0], shownMember(9), time);
        _note("stake", 200_000, 450_000);
    }

    function test_twoAnchors() external {
        found(200, 200);
        AnchorHeader memory first = upcoming();
        AnchorHeader memory second = upcoming();
        second.blockId = 0;
        SignedAnchor memory left = SignedAnchor({ header: first, vote: voteOf(9, first) });
        SignedAnchor memory right = SignedAnchor({ header: second, vote: voteOf(9, second) });
        nodeDisputes.proveTwoAnchors(headers[0], shownMember(9), left, right);
        _note("two anchors proven", 200_000, 700_000);
    }

    function _measureEpoch(string memory name, uint64 seats_, uint256 max) private {
        found(seats_, seats_);
        Votes memory votes = quorum(upcoming());
        for (uint256 i = 0; i < 33; i++) {
            // Nobody asks what these votes are.
            post(upcoming(), votes);
            vm.warp(block.timestamp + WINDOW_S);
        }
        AnchorHeader memory header = upcoming();
        votes = quorum(header);
        vm.prank(poster, poster);
        anchors.post(header, votes);
        _note(name, max, max);
    }

    function _note(string memory name, uint256 maxWithPrecompile, uint256 max) private {
        uint256 gas = vm.snapshotGasLastCall(hardfork(), name);
        vm.assertLe(gas, keccak256(bytes(hardfork())) == keccak256("osaka") ? maxWithPrecompile : max, name);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Committee } from "../../src/libraries/Committee.sol";
import { Cases } from "../Cases.sol";
import { vm } from "../Vm.sol";

/// @notice Places belong to the seats that `protocol/layer1/anchor-committee.ts` says (Specification §20.2).
contract CommitteeTest {
    function test_placesAreTheProtocolsNamed() external view {
        _compare(Cases.named("places"), 25);
    }

    function test_placesAreTheProtocolsDrawn() external view {
        _compare(Cases.mutations("places"), 1);
    }

    function _compare(string memory json, uint256 casesMin) private pure {
        string[] memory names = Cases.text(json, "name");
        bytes32[] memory seed = Cases.words(json, "seed");
        uint256[] memory epoch = Cases.numbers(json, "epoch");
        uint256[] memory round = Cases.numbers(json, "round");
        uint256[] memory place = Cases.numbers(json, "place");
        uint256[] memory seats = Cases.numbers(json, "seats");
        uint256[] memory seat = Cases.numbers(json, "seat");
        uint256[] memory places = Cases.numbers(json, "places");
        uint256[] memory quorum = Cases.numbers(json, "quorum");
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            vm.assertEq(Committee.seatAt(seed[i], uint64(epoch[i]), uint8(round[i]), place[i], seats[i]), seat[i], names[i]);
            vm.assertEq(Committee.places(seats[i]), places[i], names[i]);
            vm.assertEq(Committee.quorum(seats[i]), quorum[i], names[i]);
        }
    }
}

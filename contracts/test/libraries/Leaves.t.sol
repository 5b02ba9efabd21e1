// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { AnchorHeader, Place } from "../../src/libraries/Anchor.sol";
import { JudgeDraw } from "../../src/libraries/JudgeDraw.sol";
import { CreditLeaf, MemberLeaf, Standing, VerdictLeaf, Word } from "../../src/libraries/Leaves.sol";
import { Cases } from "../Cases.sol";
import { vm } from "../Vm.sol";

/// @notice Leaves and anchors have the digests of `protocol/layer1` (Specification §20.1, §20.2).
contract LeavesTest {
    /// @dev One case: what all leaves and the header of an anchor are made of.
    struct Given {
        bytes32 node;
        bytes32 x;
        bytes32 y;
        bytes32 other;
        address anchors;
        uint256 standing;
        uint256 word;
        bool eligible;
        uint64 first;
        uint64 second;
        uint64 third;
    }

    function test_digestsAreTheProtocolsNamed() external {
        _compare(Cases.named("leaves"), 12);
    }

    function test_digestsAreTheProtocolsDrawn() external {
        _compare(Cases.mutations("leaves"), 1);
    }

    function committee(bytes32[] calldata judges) external pure returns (bytes32) {
        return JudgeDraw.digest(judges);
    }

    function _compare(string memory json, uint256 casesMin) private {
        vm.chainId(31337);
        string[] memory names = Cases.text(json, "name");
        bytes32[] memory member = Cases.words(json, "member");
        bytes32[] memory verdict = Cases.words(json, "verdictLeaf");
        bytes32[] memory credit = Cases.words(json, "credit");
        bytes32[] memory judges = Cases.words(json, "committee");
        bytes32[] memory anchor = Cases.words(json, "anchor");
        Given[] memory given = _given(json, names.length);
        vm.assertGe(names.length, casesMin, "cases");
        for (uint256 i = 0; i < names.length; i++) {
            vm.assertEq(_member(given[i]).digest(), member[i], names[i]);
            vm.assertEq(_verdict(given[i]).digest(), verdict[i], names[i]);
            CreditLeaf memory leaf = CreditLeaf({ node: given[i].node, credit: given[i].first, eligible: given[i].eligible });
            vm.assertEq(leaf.digest(), credit[i], names[i]);
            vm.assertEq(this.committee(_judges(given[i])), judges[i], names[i]);
            vm.assertEq(_header(given[i]).digest(Place({ network: given[i].node, anchors: given[i].anchors })), anchor[i], names[i]);
        }
    }

    function _given(string memory json, uint256 size) private pure returns (Given[] memory given) {
        given = new Given[](size);
        bytes32[] memory node = Cases.words(json, "node");
        bytes32[] memory x = Cases.words(json, "x");
        bytes32[] memory y = Cases.words(json, "y");
        bytes32[] memory other = Cases.words(json, "other");
        bytes[] memory anchors = Cases.content(json, "anchors");
        for (uint256 i = 0; i < size; i++) {
            (given[i].node, given[i].x, given[i].y, given[i].other) = (node[i], x[i], y[i], other[i]);
            given[i].anchors = address(bytes20(anchors[i]));
        }
        uint256[] memory standing = Cases.numbers(json, "standing");
        uint256[] memory word = Cases.numbers(json, "word");
        uint256[] memory eligible = Cases.numbers(json, "eligible");
        for (uint256 i = 0; i < size; i++) {
            (given[i].standing, given[i].word, given[i].eligible) = (standing[i], word[i], eligible[i] == 1);
        }
        uint256[] memory first = Cases.numbers(json, "first");
        uint256[] memory second = Cases.numbers(json, "second");
        uint256[] memory third = Cases.numbers(json, "third");
        for (uint256 i = 0; i < size; i++) {
            (given[i].first, given[i].second, given[i].third) = (uint64(first[i]), uint64(second[i]), uint64(third[i]));
        }
    }

    function _member(Given memory given) private pure returns (MemberLeaf memory) {
        return MemberLeaf({
            node: given.node, x: given.x, y: given.y, vrf: given.other, standing: Standing(given.standing), drawsFromEpoch: given.first
        });
    }

    function _verdict(Given memory given) private pure returns (VerdictLeaf memory) {
        return VerdictLeaf({
            node: given.node,
            slot: given.first,
            word: Word(given.word),
            attestedUntil: given.second,
            judgedAtMs: given.third,
            evidence: given.x,
            judges: given.y,
            drawnFrom: given.second
        });
    }

    function _judges(Given memory given) private pure returns (bytes32[] memory judges) {
        bytes32[3] memory all = [given.node, given.x, given.y];
        judges = new bytes32[](given.standing + 1);
        for (uint256 i = 0; i < judges.length; i++) {
            judges[i] = all[i];
        }
    }

    function _header(Given memory given) private pure returns (AnchorHeader memory) {
        return AnchorHeader({
            epoch: given.first,
            checkpoint: given.second,
            height: given.third,
            blockId: given.x,
            timeMs: given.third,
            seed: given.y,
            membersRoot: given.other,
            verdictsRoot: given.node,
            creditsRoot: given.x,
            members: given.second,
            seats: given.first,
            previous: given.y
        });
    }
}

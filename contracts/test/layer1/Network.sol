// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";
import { Anchors } from "../../src/Anchors.sol";
import { NodeDisputes } from "../../src/NodeDisputes.sol";
import { NodeRegistry } from "../../src/NodeRegistry.sol";
import { Releases } from "../../src/Releases.sol";
import { StopSwitch } from "../../src/StopSwitch.sol";
import { VerdictDisputes } from "../../src/VerdictDisputes.sol";
import { AnchorTerms, ShownMember, Votes } from "../../src/interfaces/IAnchors.sol";
import { ShownVerdict } from "../../src/interfaces/IVerdictDisputes.sol";
import { AnchorHeader } from "../../src/libraries/Anchor.sol";
import { AttestationKey } from "../../src/libraries/AttestationKey.sol";
import { Committee } from "../../src/libraries/Committee.sol";
import { ShownCredit } from "../../src/libraries/JudgeDraw.sol";
import { CreditLeaf, MemberLeaf, Standing, VerdictLeaf, Word } from "../../src/libraries/Leaves.sol";
import { vm } from "../Vm.sol";
import { Chips } from "./Chips.sol";
import { Trees } from "./Trees.sol";

/// @title A network and its contracts, for tests
/// @notice Members with chips, trees of their leaves, anchors that follow one another, votes as many as are asked for.
abstract contract Network {
    using Trees for bytes32[];

    bytes32 internal constant NETWORK = keccak256("a network");
    uint64 internal constant WINDOW_S = 6 hours;
    uint64 internal constant RECOVERY_S = 14 days;
    uint64 internal constant SHOW_S = 3 days;
    uint64 internal constant STOP_S = 3 days;
    uint64 internal constant TIMELOCK_S = 2 days;
    uint64 internal constant WITHDRAWAL_S = 30 days;
    uint256 internal constant BOND = 0.1 ether;
    uint256 internal constant STAKE_MIN = 1 ether;
    uint256 internal constant JUDGES = 3;

    address internal owner = vm.addr(0xa11ce);
    address internal guardian = vm.addr(0x60a2d);
    address internal poster = vm.addr(0x90573);
    address internal challenger = vm.addr(0xc4a11);

    TimelockController internal timelock;
    StopSwitch internal stopSwitch;
    Anchors internal anchors;
    Releases internal releases;
    NodeDisputes internal nodeDisputes;
    VerdictDisputes internal verdictDisputes;
    NodeRegistry internal registry;

    MemberLeaf[] internal members;
    VerdictLeaf[] internal verdicts;
    CreditLeaf[] internal credits;
    uint64 internal seats;
    /// @dev By epoch; what was posted last.
    mapping(uint64 epoch => AnchorHeader) internal headers;

    function found(uint64 members_, uint64 seats_) internal {
        vm.warp(1_800_000_000);
        seats = seats_;
        for (uint64 i = 0; i < members_; i++) {
            AttestationKey memory key = Chips.publicKey(secretOf(i), keccak256(abi.encode("node", i)));
            Standing standing = i < seats_ ? Standing.Seat : Standing.None;
            members.push(MemberLeaf({ node: key.node, x: key.x, y: key.y, vrf: 0, standing: standing, drawsFromEpoch: 0 }));
            verdicts.push(VerdictLeaf(key.node, 0, Word.None, 144, 0, 0, 0, 0));
            credits.push(CreditLeaf({ node: key.node, credit: 500, eligible: i < seats_ }));
        }
        deploy();
        vm.deal(poster, 1000 ether);
    }

    function deploy() private {
        address[] memory hands = new address[](1);
        hands[0] = owner;
        timelock = new TimelockController(TIMELOCK_S, hands, hands, address(0));
        stopSwitch = new StopSwitch(address(timelock), guardian, STOP_S);
        headers[0] = next(0, 0);
        anchors = new Anchors(NETWORK, headers[0], AnchorTerms(WINDOW_S, RECOVERY_S, SHOW_S, BOND), stopSwitch);
        releases = new Releases(address(timelock), 1 days, 7 days);
        nodeDisputes = new NodeDisputes(anchors);
        verdictDisputes = new VerdictDisputes(anchors, releases, JUDGES);
        registry = new NodeRegistry(anchors, nodeDisputes, STAKE_MIN, WITHDRAWAL_S);
    }

    function secretOf(uint64 member) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("chip", member))) >> 8;
    }

    function keyOf(uint64 member) internal view returns (AttestationKey memory) {
        return members[member].key();
    }

    /// @notice The header of an epoch, of the leaves as they are now.
    function next(uint64 epoch, bytes32 previous) internal view returns (AnchorHeader memory) {
        return AnchorHeader({
            epoch: epoch,
            checkpoint: epoch * 12,
            height: epoch * 48,
            blockId: keccak256(abi.encode("block", epoch)),
            timeMs: uint64(block.timestamp) * 1000,
            seed: keccak256(abi.encode("seed", epoch)),
            membersRoot: memberIds().root(),
            verdictsRoot: verdictIds().root(),
            creditsRoot: creditIds().root(),
            members: uint64(members.length),
            seats: seats,
            previous: previous
        });
    }

    /// @notice The header that may be posted now.
    function upcoming() internal view returns (AnchorHeader memory) {
        (uint64 epoch, bytes32 tip,) = anchors.tip();
        return next(epoch + 1, tip);
    }

    /// @notice Votes of a quorum, the first places.
    function quorum(AnchorHeader memory header) internal view returns (Votes memory) {
        return votesOf(header, Committee.quorum(headers[header.epoch - 1].seats));
    }

    function votesOf(AnchorHeader memory header, uint256 count) internal view returns (Votes memory votes) {
        AnchorHeader memory before = headers[header.epoch - 1];
        votes.voters = uint128((uint256(1) << count) - 1);
        for (uint256 place = 0; place < count; place++) {
            uint64 seat = uint64(Committee.seatAt(before.seed, header.epoch, 0, place, before.seats));
            votes.votes = abi.encodePacked(votes.votes, voteOf(seat, header));
        }
    }

    function voteOf(uint64 member, AnchorHeader memory header) internal view returns (bytes memory) {
        return Chips.compactTime(secretOf(member), keyOf(member), anchors.digestOf(header));
    }

    function post(AnchorHeader memory header, Votes memory votes) internal {
        vm.prank(poster, poster);
        anchors.post{ value: BOND }(header, votes);
        headers[header.epoch] = header;
    }

    function postNext() internal returns (AnchorHeader memory header) {
        header = upcoming();
        post(header, quorum(header));
    }

    function finalNext() internal returns (AnchorHeader memory header) {
        header = postNext();
        vm.warp(block.timestamp + WINDOW_S);
    }

    function shownMember(uint64 index) internal view returns (ShownMember memory) {
        return ShownMember({ index: index, leaf: members[index], path: memberIds().path(index) });
    }

    function shownVerdict(uint64 index) internal view returns (ShownVerdict memory) {
        return ShownVerdict({ index: index, leaf: verdicts[index], path: verdictIds().path(index) });
    }

    function shownCredit(uint64 index) internal view returns (ShownCredit memory) {
        return ShownCredit({ index: index, leaf: credits[index], path: creditIds().path(index) });
    }

    function memberIds() private view returns (bytes32[] memory ids) {
        ids = new bytes32[](members.length);
        for (uint256 i = 0; i < ids.length; i++) {
            ids[i] = members[i].digest();
        }
    }

    function verdictIds() private view returns (bytes32[] memory ids) {
        ids = new bytes32[](verdicts.length);
        for (uint256 i = 0; i < ids.length; i++) {
            ids[i] = verdicts[i].digest();
        }
    }

    function creditIds() private view returns (bytes32[] memory ids) {
        ids = new bytes32[](credits.length);
        for (uint256 i = 0; i < ids.length; i++) {
            ids[i] = credits[i].digest();
        }
    }
}

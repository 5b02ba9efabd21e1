"""Replays a chain by protocol/README.md §11 to §13: what each block makes of the state, but for capsules. Signatures are not checked."""
from hashlib import sha256

import cddl
import chain
from bounds import hexed
from chain import D

LN2 = 762_123_384_785


def wait_ms(output: bytes, seats: int, consensus: dict) -> int:
    """§12.2."""
    uniform = 1 + int.from_bytes(output[:8], "big")
    whole = uniform.bit_length() - 1
    mantissa, log2 = (uniform << 63) >> whole, whole
    for _ in range(48):
        mantissa = mantissa * mantissa >> 63
        digit = mantissa >= 1 << 64
        mantissa, log2 = mantissa >> digit, log2 << 1 | digit
    negative = ((64 << 48) - log2) * LN2 >> 48
    return consensus["minimumWaitMs"] + (consensus["targetIntervalMs"] * seats * negative >> 40)


def counts_of(attestation: bytes, at: int) -> dict:
    """Of a TPMS_CLOCK_INFO (TPM 2.0 Part 2 §10.11.1)."""
    return {"resetCount": int.from_bytes(attestation[at + 8 : at + 12], "big"), "restartCount": int.from_bytes(attestation[at + 12 : at + 16], "big")}


def clock_info_at(attestation: bytes) -> int:
    signer = int.from_bytes(attestation[6:8], "big")
    data = int.from_bytes(attestation[8 + signer : 10 + signer], "big")
    return 10 + signer + data


def replay(network: dict, blocks: list[str]) -> dict:
    """Ids and state roots of all blocks. @param network, blocks as in vectors: hexadecimal"""
    identity, parent, state = chain.genesis_position(network)
    ids, time_ms = {0: parent.hex()}, 0
    for encoded in blocks:
        block = cddl.read("block", bytes.fromhex(encoded))
        header = cddl.read("header", block["header"])
        output = sha256(b"\x01\x02" + header["draw"]).digest()
        wait = wait_ms(output, len(state["core"]["seats"]), network["genesis"]["consensus"])
        assert (header["network"], header["parent"]) == (identity, parent)
        assert header["timeMs"] >= time_ms + wait, "time-too-early"
        assert header["transactions"] == chain.merkle_root([D("transaction", one) for one in block["transactions"]])
        state = opened(state, header, output, wait, network["genesis"]["consensus"]["epochHeights"])
        for transaction in block["transactions"]:
            state = applied(state, cddl.read("transaction", transaction), header["height"], network["genesis"]["consensus"]["epochHeights"])
        assert chain.state_root(state) == header["state"], f"height {header['height']}: the state has another root"
        parent, time_ms = chain.block_id(block["header"], block["end"]), header["timeMs"]
        ids[header["height"]] = parent.hex()
    return {"head": parent.hex(), "core": state["core"], "standings": {one["member"]["name"]: one["standing"] for one in state["members"]}}


def opened(state: dict, header: dict, output: bytes, wait: int, epoch_heights: int) -> dict:
    """§11.4, the steps before the transactions; there are no capsules here."""
    core, members = dict(state["core"]), [dict(record) for record in state["members"]]
    epoch, number = dict(core["epoch"]), header["height"] // epoch_heights
    if number != epoch["number"]:
        renewed = number >= 2 and core["checkpoint"]["height"] >= (number - 1) * epoch_heights - 1
        if renewed:
            seed = D("epoch-seed", bytes.fromhex(epoch["seed"]), bytes.fromhex(epoch["gathered"])).hex()
            core["seeds"] = [*core["seeds"], {"fromHeight": header["height"], "seed": seed}]
        elif number >= 2:
            for record in members:
                record["drawsFromEpoch"] += record["drawsFromEpoch"] == number
        epoch = {"number": number, "seed": seed if renewed else epoch["seed"], "gathered": epoch["gathering"], "gathering": "00" * 32}
    epoch["gathering"] = D("epoch-gather", bytes.fromhex(epoch["gathering"]), output).hex()
    leader = next(record for record in members if record["node"] == header["node"].hex())
    assert leader["node"] in core["seats"] and leader["drawsFromEpoch"] <= number
    start = header["start"]["attestation"]
    inner = clock_info_at(start) + 25
    leader["waitedUntil"] = {**counts_of(start, inner + 8), "timeMs": int.from_bytes(start[inner : inner + 8], "big") + wait}
    members = [one for one in members if one["standing"] != "applicant" or header["height"] - one["appliedHeight"] < 4096]
    return {**state, "core": {**core, "epoch": epoch}, "members": members}


def applied(state: dict, transaction: dict, height: int, epoch_heights: int) -> dict:
    if transaction["kind"] == "voucher":
        voucher = transaction["voucher"]
        boot = counts_of(voucher["quote"], clock_info_at(voucher["quote"]))
        record = member(state, voucher["node"].hex())
        return with_member(state, {**record, "keys": [*record["keys"], {"key": voucher["operationalKey"].hex(), **boot}][-4:]})
    if transaction["kind"] == "finality":
        return certified(state, transaction["certificate"], height, epoch_heights)
    if transaction["kind"] == "application":
        card = hexed(cddl.read("member-card", transaction["card"])["member"])
        node = sha256(bytes.fromhex(card["endorsementKey"])).hexdigest()
        nothing = {"drawsFromEpoch": 0, "vouchedBy": [], "keys": [], "votedIn": 0, "boxesSerial": 0}
        return with_member(state, {"node": node, "member": card, "standing": "applicant", "appliedHeight": height, **nothing})
    return acted(state, transaction["by"].hex(), cddl.read("action", transaction["body"]), height)


def acted(state: dict, by: str, action: dict, height: int) -> dict:
    if action["action"] == "vouch":
        cards = {sha256(cddl.encode("member", one["member"])).digest(): one for one in state["members"] if one["standing"] == "applicant"}
        record = cards[action["applicant"]]
        return admitted(with_member(state, {**record, "vouchedBy": [*record["vouchedBy"], by]}), height)
    others = [box for box in state["boxes"] if box["node"] != by]
    if action["action"] == "boxes":
        offered = [{"node": by, "box": hexed(box)} for box in action["boxes"]]
        return with_member({**state, "boxes": others + offered}, {**member(state, by), "boxesSerial": action["serial"]})
    assert action["action"] == "leave", "capsules are not replayed"
    seats = [seat for seat in state["core"]["seatsToCome"][-1]["seats"] if seat != by]
    return with_member(with_seats({**state, "boxes": others}, seats, height), {**member(state, by), "standing": "left"})


def certified(state: dict, certificate: dict, height: int, epoch_heights: int) -> dict:
    core = dict(state["core"])
    core["checkpoint"] = {"number": certificate["number"], "height": certificate["height"], "block": certificate["block"].hex()}
    for name in ("seeds", "seatsToCome"):
        last = max(index for index, entry in enumerate(core[name]) if entry["fromHeight"] <= certificate["height"])
        core[name] = core[name][last:]
    state = {**state, "core": core}
    for vote in certificate["votes"]:
        state = with_member(state, {**member(state, vote["node"].hex()), "votedIn": certificate["number"]})
    before, core["seats"] = core["seats"], core["seatsToCome"][0]["seats"]
    for seat in set(core["seats"]) - set(before):
        state = with_member(state, {**member(state, seat), "drawsFromEpoch": height // epoch_heights + 3})
    return admitted(state, height)


def admitted(state: dict, height: int) -> dict:
    seats = state["core"]["seats"]
    assert len(seats) <= 64, "larger networks, where some are drawn, are not replayed"
    standing = {one["node"]: one["standing"] for one in state["members"]}
    for record in [one for one in state["members"] if one["standing"] == "applicant"]:
        counted = [node for node in record["vouchedBy"] if node in seats and standing[node] == "member"]
        if 3 * len(counted) > 2 * len(seats):
            coming = sorted([*state["core"]["seatsToCome"][-1]["seats"], record["node"]])
            state = with_member(with_seats(state, coming, height), {**record, "standing": "member"})
    return state


def with_seats(state: dict, seats: list[str], height: int) -> dict:
    earlier = [entry for entry in state["core"]["seatsToCome"] if entry["fromHeight"] < height]
    assert len(earlier) < 16, "seat-changes-full"
    return {**state, "core": {**state["core"], "seatsToCome": [*earlier, {"fromHeight": height, "seats": seats}]}}


def member(state: dict, node: str) -> dict:
    return next(record for record in state["members"] if record["node"] == node)


def with_member(state: dict, record: dict) -> dict:
    rest = [one for one in state["members"] if one["node"] != record["node"]]
    return {**state, "members": sorted([*rest, record], key=lambda one: one["node"])}


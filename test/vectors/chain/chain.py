"""Digests, identifiers, trees and public draws of the chain, from protocol/README.md alone."""
from hashlib import sha256

import cddl


def prefix(domain: str) -> bytes:
    return b"capstan/1/" + domain.encode() + b"\0"


def D(domain: str, *parts: bytes) -> bytes:
    return sha256(prefix(domain) + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


# §11.1, §11.3

def block_id(header: bytes, end: dict) -> bytes:
    return D("block", D("block-header", header), end["attestation"], end["signature"])


def merkle_root(ids: list[bytes]) -> bytes:
    """RFC 9162 §2.1, by its recursion."""
    if not ids:
        return D("merkle-empty")
    if len(ids) == 1:
        return D("merkle-leaf", ids[0])
    split = largest_power_below(len(ids))
    return D("merkle-node", merkle_root(ids[:split]), merkle_root(ids[split:]))


def merkle_path(ids: list[bytes], index: int) -> list[bytes]:
    """RFC 9162 §2.1.3.1."""
    if len(ids) < 2:
        return []
    split = largest_power_below(len(ids))
    if index < split:
        return [*merkle_path(ids[:split], index), merkle_root(ids[split:])]
    return [*merkle_path(ids[split:], index - split), merkle_root(ids[:split])]


def merkle_climbed(leaf: bytes, index: int, size: int, path: list[bytes]):
    """The root that a path leads to, from the top downwards; none where it has another length."""
    if size == 1:
        return D("merkle-leaf", leaf) if index == 0 and not path else None
    if size < 1 or not path or not 0 <= index < size:
        return None
    split = largest_power_below(size)
    if index < split:
        below = merkle_climbed(leaf, index, split, path[:-1])
        return below and D("merkle-node", below, path[-1])
    below = merkle_climbed(leaf, index - split, size - split, path[:-1])
    return below and D("merkle-node", path[-1], below)


def largest_power_below(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def action_input(network: bytes, by: bytes, body: bytes) -> bytes:
    return prefix("action") + D("action", network, by, body)


# §11.4

def bit_of(key: bytes, bit: int) -> int:
    return key[bit >> 3] >> (7 - (bit & 7)) & 1 if bit >> 3 < len(key) else 0


def trie_root(entries: dict[bytes, bytes]) -> bytes:
    """`entries`: digests by id."""
    if not entries:
        return D("state-branch")
    if len(entries) == 1:
        return next(iter(entries.values()))
    bit = next(bit for bit in range(8 * 512) if len({bit_of(key, bit) for key in entries}) == 2)
    sides = [{key: digest for key, digest in entries.items() if bit_of(key, bit) == side} for side in (0, 1)]
    return D("state-branch", u64(bit), trie_root(sides[0]), trie_root(sides[1]))


def climbed(key: bytes, digest: bytes, path: list[dict]) -> bytes:
    for fork in reversed(path):
        sides = (fork["sibling"], digest) if bit_of(key, fork["bit"]) else (digest, fork["sibling"])
        digest = D("state-branch", u64(fork["bit"]), *sides)
    return digest


def member_digest(record: dict) -> bytes:
    rest = {name: value for name, value in record.items() if name != "member"}
    card = D("state-entry", cddl.encode("member", record["member"]))
    return D("state-entry", card, cddl.encode("member-standing", rest))


def state_root(state: dict) -> bytes:
    members = {record["node"].encode(): member_digest(record) for record in state["members"]}
    boxes = {box_key(record): D("state-entry", cddl.encode("box-record", record)) for record in state["boxes"]}
    capsules = {record["capsule"].encode(): D("state-entry", cddl.encode("capsule-record", record)) for record in state["capsules"]}
    core = D("state-entry", cddl.encode("core-state", state["core"]))
    return D("state", core, trie_root(members), trie_root(boxes), trie_root(capsules))


def box_key(record: dict) -> bytes:
    return f"{record['node']}/{record['box']['name']}".encode()


def state_bytes(state: dict) -> bytes:
    """As it travels."""
    parts = [framed(cddl.encode("core-state", state["core"]))]
    orders = {"member": lambda record: record["node"].encode(), "box": box_key, "capsule": lambda record: record["capsule"].encode()}
    for what, order in orders.items():
        records = sorted(state[f"{what}s" if what != "box" else "boxes"], key=order)
        parts.append(len(records).to_bytes(4, "big"))
        parts += [framed(cddl.encode(f"{what}-record", record)) for record in records]
    return b"".join(parts)


def framed(entry: bytes) -> bytes:
    return len(entry).to_bytes(4, "big") + entry


# §4, §11.1, §12.1: the beginning

def network_id(genesis: dict) -> bytes:
    return D("network", cddl.encode("genesis", genesis))


def genesis_position(network: dict):
    """Seed, state and block id of height 0."""
    identity = network_id(network["genesis"])
    founders = sorted(({"node": sha256(bytes.fromhex(card["endorsementKey"])).hexdigest(), "member": card} for card in network["members"]), key=lambda founder: founder["node"])
    founders = [founder for founder in founders if founder["node"] in network["genesis"]["members"]]
    seed = D("epoch-seed", identity, *(bytes.fromhex(founder["member"]["vrfKey"]) for founder in founders)).hex()
    seats, zeros = [founder["node"] for founder in founders], "00" * 32
    nothing = {"standing": "member", "drawsFromEpoch": 0, "vouchedBy": [], "keys": [], "votedIn": 0, "boxesSerial": 0}
    state = {
        "core": {
            "epoch": {"number": 0, "seed": seed, "gathered": zeros, "gathering": zeros},
            "checkpoint": {"number": 0, "height": 0, "block": zeros},
            "seats": seats,
            "seatsToCome": [{"fromHeight": 0, "seats": seats}],
            "seeds": [{"fromHeight": 0, "seed": seed}],
        },
        "members": [{**founder, **nothing} for founder in founders],
        "boxes": [],
        "capsules": [],
    }
    if "trust" in network["genesis"]:
        import trust
        state = trust.founded(state, network["genesis"]["trust"])
    block = D("genesis-block", identity, state_root(state))
    state["core"]["checkpoint"]["block"] = block.hex()
    return identity, block, state


# §12.1, §12.3, §13.1-13.3, §15.2, §7.2

def next_seed(previous: bytes, outputs: list[bytes]) -> bytes:
    gathered = bytes(32)
    for output in outputs:
        gathered = D("epoch-gather", gathered, output)
    return D("epoch-seed", previous, gathered)


def instance_of(network: bytes, number: int, previous: bytes) -> bytes:
    return D("checkpoint", network, u64(number), previous)


def proposer_of(instance: bytes, round_: int, voters: list[bytes]) -> bytes:
    return sorted(voters)[int.from_bytes(D("proposer", instance, u64(round_)), "big") % len(voters)]


def voters_of(network: bytes, seed: bytes, number: int, seats: list[bytes]) -> list[bytes]:
    if len(seats) <= 128:
        return sorted(seats)
    draw = D("committee", network, seed, u64(number))
    return sorted(sorted(seats, key=lambda node: D("committee-order", draw, node))[:400])


def admitting(network: bytes, seed: bytes, epoch: int, seats: list[bytes]) -> list[bytes]:
    if len(seats) <= 64:
        return sorted(seats)
    draw = D("admission-committee", network, seed, u64(epoch))
    return sorted(seats, key=lambda node: D("committee-order", draw, node))[:64]


def box_draw(first: bytes, second: bytes) -> bytes:
    return D("box-draw", first, second)


def member_order(output: bytes, capsule: str, attempt: int, nodes: list[bytes]) -> list[bytes]:
    return sorted(nodes, key=lambda node: D("box-order", output, capsule.encode(), u64(attempt), node))


def box_order(output: bytes, capsule: str, attempt: int, node: bytes, boxes: list[str]) -> list[str]:
    return sorted(boxes, key=lambda box: D("box-order", output, capsule.encode(), u64(attempt), node, box.encode()))


TRUST = ("self-reported", "software-tpm", "tpm-measured")


def is_fitting(box: dict, runtime: str, trust: str) -> bool:
    """§15.2, of a box as it is offered."""
    return runtime in box["runtimes"] and TRUST.index(box["trust"]) >= TRUST.index(trust)


def ballot_input(ballot: dict) -> bytes:
    return prefix("ballot") + cddl.encode("ballot", ballot)


def capsule_id(network: bytes, device: str, client: str, request: bytes, capsule: bytes) -> str:
    return D("capsule", network, device.encode(), D("capsule-request", client.encode(), request), capsule)[:16].hex()

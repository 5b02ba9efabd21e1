"""Judges proofs of finality from a network file, from protocol/README.md §13.6, §13.4, §11.3 and §3 alone."""
from hashlib import sha256

import cbor
import cddl
import chain
from chain import D
from curves import is_usable_ed25519, verify_ed25519, verify_p256

EK = bytes.fromhex("0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa00060080004300100800000000000100")
AK = bytes.fromhex("0023000b0005047200000010" "0018000b" "00030010")
NAME = b"\0\x0b"


class Refused(Exception):
    """The message is the reason."""


def require(holds, reason: str) -> None:
    if not holds:
        raise Refused(reason)


def judge(network_file: bytes, encoded: bytes) -> dict:
    """Reason of a refusal, or what is shown."""
    network = cddl.read("network", network_file)
    identity = D("network", cbor.encode(network["genesis"]))
    try:
        return {"verdict": "accepted", **judged(network, identity, encoded)}
    except cbor.Malformed:
        return {"verdict": "malformed"}
    except Refused as refusal:
        return {"verdict": str(refusal)}


def judged(network: dict, identity: bytes, encoded: bytes) -> dict:
    require(len(encoded) <= 196_608, "malformed")
    proof = cddl.read("finality-proof", encoded)
    blocks = [shown_block(block, identity) for block in proof["blocks"]]
    for (below, lower), (_, upper) in zip(blocks, blocks[1:]):
        require(upper["parent"] == below and upper["height"] == lower["height"] + 1, "blocks-not-linked")
    lowest = blocks[0][1]
    transaction = D("transaction", proof["transaction"])
    root = chain.merkle_climbed(transaction, proof["index"], proof["size"], proof["path"])
    require(root == lowest["transactions"], "not-in-block")
    seats = {
        "number": 0, "height": 0, "block": None, "nodes": network["genesis"]["members"],
        "cards": {sha256(card["endorsementKey"]).digest(): card for card in network["members"]},
    }
    for change in proof["changes"]:
        block = shown_block(change["block"], identity)
        require_certified(seats, change["certificate"], block, identity, proof["vouchers"])
        seats = seats_after(seats, change, block[1])
    require_certified(seats, proof["certificate"], blocks[-1], identity, proof["vouchers"])
    certificate = proof["certificate"]
    return {
        "transaction": transaction.hex(), "timeMs": lowest["timeMs"], "height": lowest["height"], "block": blocks[0][0].hex(),
        "checkpoint": {"number": certificate["number"], "height": certificate["height"], "block": certificate["block"].hex()},
        "voters": len(seats["nodes"]), "votes": [vote["node"].hex() for vote in certificate["votes"]],
    }


def shown_block(block: dict, identity: bytes):
    header = cddl.read("header", block["header"])
    require(header["network"] == identity, "other-network")
    return chain.block_id(block["header"], block["end"]), header


def seats_after(seats: dict, change: dict, header: dict) -> dict:
    state = change["state"]
    try:
        core = cddl.read("core-state", state["core"])
        records = [(cddl.read("member-record", shown["record"]), shown["path"]) for shown in state["members"]]
    except cbor.Malformed as error:
        raise Refused("state-not-shown") from error
    root = D("state", D("state-entry", state["core"]), state["membersRoot"], state["boxesRoot"], state["capsulesRoot"])
    require(root == header["state"], "state-not-shown")
    cards = dict(seats["cards"])
    for record, path in records:
        rest = {name: value for name, value in record.items() if name != "member"}
        digest = D("state-entry", D("state-entry", cbor.encode(record["member"])), cbor.encode(rest))
        require(chain.climbed(record["node"].hex().encode(), digest, path) == state["membersRoot"], "state-not-shown")
    for record, _ in records:
        require(sha256(record["member"]["endorsementKey"]).digest() == record["node"], "card-of-another")
        cards[record["node"]] = record["member"]
    certificate = change["certificate"]
    return {**{name: certificate[name] for name in ("number", "height", "block")}, "nodes": core["seatsToCome"][-1]["seats"], "cards": cards}


def require_certified(seats: dict, certificate: dict, block, identity: bytes, vouchers: list[dict]) -> None:
    require(certificate["block"] == block[0] and certificate["height"] == block[1]["height"], "other-checkpoint")
    number, nodes = certificate["number"], seats["nodes"]
    follows = number > seats["number"] and certificate["height"] > seats["height"]
    if number == seats["number"] + 1 and seats["block"] is not None:
        follows = follows and certificate["previous"] == seats["block"]
    require(follows, "checkpoints-not-in-order")
    require(len(nodes) <= 128, "too-many-seats")
    last = b""
    for vote in certificate["votes"]:
        require(vote["node"] != last, "certificate-vote-repeated")
        require(vote["node"] > last, "certificate-votes-out-of-order")
        require(vote["node"] in nodes, "certificate-not-a-voter")
        last = vote["node"]
    require(3 * len(certificate["votes"]) > 2 * len(nodes), "certificate-no-quorum")
    instance = chain.instance_of(identity, number, certificate["previous"])
    for vote in certificate["votes"]:
        require(has_voucher(vote, seats["cards"].get(vote["node"]), identity, vouchers), "voucher-refused")
        ballot = {"network": identity, "instance": instance, "round": certificate["round"], "step": "precommit"}
        body = cbor.encode({**ballot, "value": certificate["block"], "node": vote["node"]})
        require(verify_ed25519(vote["key"], chain.prefix("ballot") + body, vote["signature"]), "certificate-signature-wrong")


def has_voucher(vote: dict, card, identity: bytes, vouchers: list[dict]) -> bool:
    """The first voucher of this node and key counts."""
    for voucher in vouchers:
        if voucher["node"] == vote["node"] and voucher["operationalKey"] == vote["key"]:
            return card is not None and is_voucher_good(voucher, card, identity)
    return False


def is_voucher_good(voucher: dict, card: dict, identity: bytes) -> bool:
    """§11.3: a quote over PCRs 8 and 14 by the AK on the card, and a log and key that replay to them (§3.3)."""
    key = attestation_key(card)
    if key is None:
        return False
    point, signer = key
    pcr8, pcr14 = voucher["pcrs"]["pcr8"], voucher["pcrs"]["pcr14"]
    qualifier = D("voucher", identity, voucher["node"], voucher["operationalKey"])
    selection = bytes.fromhex("00000001" "000b" "03" "004100") + sized(sha256(pcr8 + pcr14).digest())
    quote, begins = voucher["quote"], bytes.fromhex("ff5443478018") + sized(signer) + sized(qualifier)
    # Clock, reset count, restart count, safe (17 bytes) and firmware version (8) stand between.
    is_about = quote.startswith(begins) and quote[len(begins) + 25 :] == selection and quote[len(begins) + 16] in (0, 1)
    signature = voucher["quoteSignature"]
    if not is_about or signature[:4] != bytes.fromhex("0018000b"):
        return False
    r, rest = taken(signature[4:])
    s, rest = taken(rest)
    if rest or not verify_p256(point, quote, int.from_bytes(r, "big"), int.from_bytes(s, "big")):
        return False
    kinds = [event["kind"] for event in voucher["eventLog"]]
    events = [D("measured-event", event["kind"].encode(), event["digest"]) for event in voucher["eventLog"]]
    keys = [D("operational-key", voucher["operationalKey"]), D("operational-key", b"cap")]
    is_once = all(kinds.count(kind) == 1 for kind in ("firmware", "addon", "board"))
    return is_once and replayed(events) == pcr14 and replayed(keys) == pcr8 and is_usable_ed25519(voucher["operationalKey"])


def attestation_key(card: dict):
    """Point and qualified name of the AK as a child of the EK; none where either has not its template (§3.1)."""
    ek, ak = card["endorsementKey"], card["attestationKey"]
    if not ek.startswith(EK) or len(ek) != len(EK) + 256 or not ek[-256] & 128 or not ek[-1] & 1 or not ak.startswith(AK):
        return None
    x, rest = taken(ak[len(AK) :])
    y, rest = taken(rest)
    if rest or len(x) > 32 or len(y) > 32:
        return None
    parent = NAME + sha256(bytes.fromhex("4000000b") + name_of(ek)).digest()
    return (int.from_bytes(x, "big"), int.from_bytes(y, "big")), NAME + sha256(parent + name_of(ak)).digest()


def name_of(public_area: bytes) -> bytes:
    return NAME + sha256(public_area).digest()


def replayed(extensions: list[bytes]) -> bytes:
    register = bytes(32)
    for extension in extensions:
        register = sha256(register + extension).digest()
    return register


def sized(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def taken(data: bytes):
    size = int.from_bytes(data[:2], "big")
    return data[2 : 2 + size], data[2 + size :]

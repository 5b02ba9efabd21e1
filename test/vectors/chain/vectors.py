"""Vectors of the chain by a second implementation, which knows protocol/README.md and nothing of the TypeScript.

    python3 test/vectors/chain/vectors.py make > test/vectors/chain/chain.json     # needs test/vectors/receipt/network.cbor
    python3 test/vectors/chain/vectors.py check      # recomputes chain.json and judges the proofs of proofs.json
    python3 test/vectors/chain/vectors.py bounds     # values at and beyond every bound of the CDDL, a line each
    python3 test/vectors/chain/vectors.py fits       # reads lines of rule and bytes, and says which do not fit the CDDL
"""
import json
import sys
from hashlib import sha256
from pathlib import Path

sys.dont_write_bytecode = True

import bounds
import cbor
import cddl
import chain
import proof
import replay
import trust
from bounds import hexed
from chain import D, u64

HERE = Path(__file__).resolve().parent
sys.setrecursionlimit(10_000)


def word(*parts) -> str:
    return sha256(" ".join(map(str, parts)).encode()).hexdigest()


def words(what: str, count: int) -> list[bytes]:
    return [bytes.fromhex(word(what, index)) for index in range(count)]


def structure(given):
    return {"encoded": cddl.encode(given["rule"], given["value"]).hex()}


def block(given):
    header = cddl.encode("header", given["header"])
    end = {name: bytes.fromhex(value) for name, value in given["end"].items()}
    encoded = cddl.encode("block", {"header": header.hex(), "end": given["end"], "transactions": given["transactions"]})
    ids = [D("transaction", bytes.fromhex(transaction)) for transaction in given["transactions"]]
    return {
        "encoded": encoded.hex(), "headerDigest": D("block-header", header).hex(), "id": chain.block_id(header, end).hex(),
        "transactionIds": [one.hex() for one in ids], "merkleRoot": chain.merkle_root(ids).hex(), "endQualifier": D("poet-end", header).hex(),
    }


def merkle(given):
    ids = words("id", given["ids"])
    path = chain.merkle_path(ids, given["index"]) if ids else []
    root = chain.merkle_root(ids)
    assert not ids or chain.merkle_climbed(ids[given["index"]], given["index"], len(ids), path) == root
    return {"root": root.hex(), "path": [step.hex() for step in path]}


def state(given):
    encoded = chain.state_bytes(given["state"])
    return {"root": chain.state_root(given["state"]).hex(), "digest": sha256(encoded).hexdigest(), "bytes": len(encoded), "encoded": encoded.hex()}


def genesis(given):
    identity, block_, state_ = chain.genesis_position(given["network"])
    encoded = cddl.encode("network", given["network"]).hex()
    return {"encoded": encoded, "networkId": identity.hex(), "seed": state_["core"]["epoch"]["seed"], "block": block_.hex(), "stateRoot": chain.state_root(state_).hex()}


def seed(given):
    return {"seed": chain.next_seed(bytes.fromhex(given["previous"]), list(map(bytes.fromhex, given["outputs"]))).hex()}


def wait(given):
    network, parent, node, seed_ = (bytes.fromhex(given[name]) for name in ("network", "parent", "node", "seed"))
    height, key = u64(given["height"]), bytes.fromhex(given["operationalKey"])
    return {
        "drawAlpha": D("poet-draw", network, seed_, height).hex(), "startQualifier": D("poet-start", network, parent, node, height).hex(),
        "voucherQualifier": D("voucher", network, node, key).hex(),
    }


def proposer(given):
    voters = words("voter", given["voters"])
    return {"proposers": [chain.proposer_of(bytes.fromhex(given["instance"]), round_, voters).hex() for round_ in given["rounds"]]}


def committee(given):
    voters = chain.voters_of(bytes.fromhex(given["network"]), bytes.fromhex(given["seed"]), given["number"], words("seat", given["seats"]))
    return {"count": len(voters), "digest": sha256(b"".join(voters)).hexdigest(), "first": [voter.hex() for voter in voters[:3]]}


def admission(given):
    drawn = chain.admitting(bytes.fromhex(given["network"]), bytes.fromhex(given["seed"]), given["epoch"], words("seat", given["seats"]))
    return {"count": len(drawn), "digest": sha256(b"".join(drawn)).hexdigest(), "first": [node.hex() for node in drawn[:3]]}


def boxes(given):
    draw, nodes = chain.box_draw(bytes.fromhex(given["first"]), bytes.fromhex(given["second"])), words("node", given["nodes"])
    members = chain.member_order(draw, given["capsule"], given["attempt"], nodes)
    order = chain.box_order(draw, given["capsule"], given["attempt"], members[0], given["boxes"])
    return {"draw": draw.hex(), "members": [node.hex() for node in members], "boxes": order}


def fitting(given):
    return {"fitting": [box["name"] for box in given["boxes"] if chain.is_fitting(box, given["runtime"], given["trust"])]}


def ballot(given):
    instance = chain.instance_of(bytes.fromhex(given["network"]), given["number"], bytes.fromhex(given["previous"]))
    rest = {name: given[name] for name in ("network", "round", "step", "value", "node") if name in given}
    return {"instance": instance.hex(), "signingInput": chain.ballot_input({**rest, "instance": instance.hex()}).hex()}


def action(given):
    body = cddl.encode("action", given["action"])
    return {"body": body.hex(), "signingInput": chain.action_input(bytes.fromhex(given["network"]), bytes.fromhex(given["by"]), body).hex()}


def capsule(given):
    parts = (bytes.fromhex(given["network"]), given["device"], given["client"], bytes.fromhex(given["request"]), bytes.fromhex(given["digest"]))
    return {"id": chain.capsule_id(*parts)}


def slot(given):
    network, seed_, output = (bytes.fromhex(given[name]) for name in ("network", "seed", "output"))
    return {
        "moment": trust.moment(network, seed_, given["slot"], given["slotHeights"], output),
        "challenge": trust.challenge(network, seed_, given["slot"], given["plantedOneIn"], output),
    }


def judges(given):
    return trust.judges_of(bytes.fromhex(given["network"]), given["draw"], given["subject"], given["level"], given["judges"])


def verdict(given):
    network, node = bytes.fromhex(given["network"]), bytes.fromhex(given["subject"])
    evidence = cddl.read("member-evidence", cddl.encode("member-evidence", given["evidence"]))
    digest = trust.evidence_digest(evidence)
    said = {"network": given["network"], "round": 3, "step": "precommit", "node": word("node 1")}
    about = {"instance": trust.instance_of(network, node, given["slot"], given["level"]).hex(), "value": trust.value_of(given["word"], digest).hex()}
    return {"evidence": digest.hex(), "qualifier": trust.qualifier_of(network, node, evidence).hex(), "signingInput": trust.ballot_input({**said, **about}).hex(), **about}


SECTIONS = {one.__name__: one for one in (
    structure, block, merkle, state, genesis, seed, wait, proposer, committee, admission, boxes, fitting, ballot, action, capsule, slot, judges, verdict,
)}


def givens():
    """What the vectors are about."""
    kept = hexed(cbor.decode((HERE / "../receipt/network.cbor").read_bytes()))
    network = {"genesis": kept["genesis"], "members": kept["members"], "references": kept["references"][:1]}
    identity, first, begun = chain.genesis_position(network)
    time = {"attestation": "ff544347" + "01" * 120, "signature": word("r") + word("s")}
    header = {
        "version": 1, "network": identity.hex(), "height": 1, "parent": first.hex(), "node": begun["core"]["seats"][0], "timeMs": 1_700_000_000_000,
        "draw": word("draw") * 8, "start": time, "transactions": word("list"), "state": word("state"),
    }
    actions = bounds.variants("action")
    transactions = [cddl.encode("transaction", value).hex() for value in bounds.variants("transaction")]
    end = {**time, "attestation": "ff544347" + "02" * 200}
    yield "genesis", {"network": network}
    judging = {"slotHeights": 48, "judges": 7, "trustedCheckpoints": 144, "plantedOneIn": 8}
    yield "genesis", {"network": {**network, "genesis": {**network["genesis"], "trust": judging}}}
    yield "genesis", {"network": {**network, "genesis": {**network["genesis"], "anchorHeights": 1_000}}}
    for count in (0, 1, len(transactions)):
        yield "block", {"header": {**header, "height": 1 + 2**40 * count}, "end": end, "transactions": transactions[:count]}
    for size, index in ((0, 0), (1, 0), (2, 1), (3, 2), (5, 4), (7, 3), (8, 5), (512, 300)):
        yield "merkle", {"ids": size, "index": index}
    for value in states(begun):
        yield "state", {"state": value}
    yield "seed", {"previous": word("seed"), "outputs": []}
    yield "seed", {"previous": word("seed"), "outputs": [word("output", index) for index in range(3)]}
    places = {"network": identity.hex(), "parent": first.hex(), "node": word("node 0"), "seed": word("seed"), "operationalKey": word("key")}
    for height in (1, 2**32 + 7, 2**53 - 1):
        yield "wait", {**places, "height": height}
    yield "proposer", {"instance": word("instance"), "voters": 7, "rounds": [1, 2, 3, 4, 10_000]}
    for seats in (4, 128, 129, 400, 401, 1_024):
        yield "committee", {"network": identity.hex(), "seed": word("seed"), "number": 9, "seats": seats}
    for seats in (4, 64, 65, 1_024):
        yield "admission", {"network": identity.hex(), "seed": word("seed"), "epoch": 9, "seats": seats}
    for attempt in (1, 2):
        yield "boxes", {"first": word("first"), "second": word("second"), "capsule": "0f" * 16, "attempt": attempt, "nodes": 5, "boxes": ["a", "rack-1", "rack-10", "rack-2"]}
    offered = [{"name": f"b{index}", "key": word("box", index), "trust": trust, "runtimes": runtimes} for index, (trust, runtimes) in enumerate(
        (trust, runtimes) for trust in chain.TRUST for runtimes in ([], ["python"], ["python", "sh"]))]
    for runtime in ("python", "sh", "fortran"):
        for trust in chain.TRUST:
            yield "fitting", {"boxes": offered, "runtime": runtime, "trust": trust}
    for step, value in (("prevote", None), ("precommit", word("block"))):
        said = {"network": identity.hex(), "number": 300, "previous": word("previous"), "round": 70, "step": step, "node": word("node 0")}
        yield "ballot", {**said, **({"value": value} if value else {})}
    for value in actions:
        yield "action", {"network": identity.hex(), "by": word("node 0"), "action": value}
    for client in ("ada", "åse"):
        yield "capsule", {"network": identity.hex(), "device": "alpha", "client": client, "request": word("request")[:32], "digest": word("manifest")}
    for index, (slot_heights, one_in) in enumerate(((8, 0), (9, 1), (48, 8), (1_000_000, 1_000))):
        drawn = {"network": identity.hex(), "seed": word("seed"), "slot": 2**20 * index}
        for output in (word("output", index), "ff" * 32, "00" * 32):
            yield "slot", {**drawn, "slotHeights": slot_heights, "plantedOneIn": one_in, "output": output}
    for seats in (1, 8, 9, 40, 402):
        nodes = sorted(word("seat", index) for index in range(seats))
        draw = {"slot": 7, "seed": word("seed"), "seats": nodes, "weights": bytes(index % 5 for index in range(seats)).hex()}
        for level in (0, 1) if seats < 400 else (1,):
            yield "judges", {"network": identity.hex(), "draw": draw, "subject": nodes[0], "level": level, "judges": 7}
    nodes = sorted(word("seat", index) for index in range(12))
    for qualifying, wanted in ((0, 7), (1, 7), (3, 7), (4, 7), (5, 7), (1, 2), (2, 2)):
        weights = bytes(4 - index % 3 if 0 < index <= qualifying else 0 for index in range(12))
        draw = {"slot": 7, "seed": word("seed"), "seats": nodes, "weights": (b"\4" + weights[1:]).hex()}
        yield "judges", {"network": identity.hex(), "draw": draw, "subject": nodes[0], "level": 0, "judges": wanted}
    for level, verdict_word in ((0, "trusted"), (0, "untrusted"), (1, "disputed")):
        evidence = bounds.variants("member-evidence")[0]
        about = {"network": identity.hex(), "subject": word("node 0"), "slot": 2**33, "level": level}
        yield "verdict", {**about, "word": verdict_word, "evidence": evidence}
    for rule in bounds.ROOTS:
        if rule not in ("network", "block"):
            for value in bounds.variants(rule):
                yield "structure", {"rule": rule, "value": value}


def states(begun):
    """The genesis; members with all that a record can hold; and tries in which ids share long beginnings, or are one another's."""
    yield begun
    members = [dict(record) for record in begun["members"]]
    keys = [{"key": word("key", index), "resetCount": index, "restartCount": 2**32 - 1} for index in range(4)]
    members[0].update(keys=keys, waitedUntil={"resetCount": 3, "restartCount": 0, "timeMs": 2**53 - 1}, votedIn=300, boxesSerial=24)
    members[1].update(standing="left", vouchedBy=[members[0]["node"]], drawsFromEpoch=65_536)
    box = {"name": "rack", "key": word("box"), "runtimes": ["python", "sh"]}
    names = ["rack", "rack-1", "rack-10", "rack-2", "s", "r"]
    boxes_ = [{"node": members[index % 2]["node"], "box": {**box, "name": name, "trust": chain.TRUST[index % 3]}} for index, name in enumerate(names)]
    ids = ["00" * 16, "00" * 15 + "01", "00" * 15 + "0f", "ff" * 16, *(word("capsule", index)[:32] for index in range(9))]
    ordered = {"gateway": members[2]["node"], "digest": word(1), "manifest": word(2), "manifestBytes": 256, "runtime": "python", "trust": "self-reported"}
    open_ = {**ordered, "acceptedAtMs": 1_700_000_000_000, "orderedHeight": 23, "attempts": [], "awaitsDraw": "yes"}
    drawn = [{"node": members[3]["node"], "box": "rack", "height": 24}]
    ended = {**open_, "attempts": drawn, "awaitsDraw": "no", "deadlineMs": 1_700_000_000_001, "end": {"state": "failed", "reason": "exit-status", "receipt": word(3), "height": 25}}
    capsules = [{"capsule": one, **(ended if index % 3 else open_), "trust": chain.TRUST[index % 3]} for index, one in enumerate(sorted(ids))]
    core = {**begun["core"], "checkpoint": {"number": 24, "height": 25, "block": word("block")}}
    core["seatsToCome"] = [*core["seatsToCome"], {"fromHeight": 26, "seats": core["seats"][1:]}]
    core["seeds"] = [*core["seeds"], {"fromHeight": 2**32, "seed": word("seed")}]
    yield {"core": core, "members": members, "boxes": sorted(boxes_, key=chain.box_key), "capsules": capsules}
    yield {**begun, "members": members[:1], "boxes": boxes_[:1], "capsules": capsules[:2]}


def make():
    made = {}
    for section, given in givens():
        made.setdefault(section, []).append({"given": given, "expected": SECTIONS[section](given)})
    print(json.dumps(made, indent=1))


def check() -> int:
    faults = 0
    for section, cases in json.loads((HERE / "chain.json").read_text()).items():
        for index, case in enumerate(cases):
            if SECTIONS[section](case["given"]) != case["expected"]:
                faults += 1
                print(f"{section} {index} comes out otherwise")
    proofs = json.loads((HERE / "proofs.json").read_text())
    for case in proofs["cases"]:
        found = proof.judge(bytes.fromhex(proofs["networks"][case["network"]]), bytes.fromhex(case["proof"]))
        if found != case["expected"]:
            faults += 1
            print(f"{case['name']}: {found}, but {case['expected']}")
    kept = json.loads((HERE / "replay.json").read_text())
    try:
        shown = replay.replay(hexed(cddl.read("network", bytes.fromhex(kept["network"]))), kept["blocks"])
        faults += shown["head"] != kept["head"]
    except AssertionError as error:
        faults += 1
        print(f"replay: {error}")
    kept = json.loads((HERE / "trust.json").read_text())
    roots = trust.replay(hexed(cddl.read("network", bytes.fromhex(kept["network"]))), kept["steps"])
    for index, (root, step) in enumerate(zip(roots, kept["steps"], strict=True)):
        if root != step["root"]:
            faults += 1
            print(f"trust: step {index} comes to another root")
            break
    print(f"{faults} of the vectors differ")
    return 1 if faults else 0


def fits() -> int:
    faults = 0
    for line in sys.stdin:
        rule, encoded = line.split()
        try:
            cddl.read(rule, bytes.fromhex(encoded))
        except cbor.Malformed as error:
            faults += 1
            print(f"{rule}: {error}")
    return 1 if faults else 0


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what in ("check", "fits"):
        sys.exit(check() if what == "check" else fits())
    if what not in ("make", "bounds"):
        sys.exit(__doc__)
    make() if what == "make" else bounds.print_all()

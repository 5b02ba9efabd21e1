"""Trust of members by protocol/README.md §18 and §19: draws, names and what slots and transactions make of the state. Signatures are not checked."""
from hashlib import sha256

import cddl
import chain
from bounds import hexed
from chain import D, prefix, u64
from replay import clock_info_at, counts_of, member, with_member, with_seats


# §18.1, §18.5, §18.7

def moment(network: bytes, seed: bytes, slot: int, slot_heights: int, output: bytes) -> dict:
    offset = int.from_bytes(output[:8], "big") % -(-slot_heights * 3 // 4)
    return {"alpha": D("attestation-moment", network, seed, u64(slot)).hex(), "height": slot * slot_heights + offset}


def challenge(network: bytes, seed: bytes, slot: int, one_in: int, output: bytes) -> dict:
    planted = one_in > 0 and int.from_bytes(output[:8], "big") % one_in == 0
    return {"alpha": D("planted-challenge", network, seed, u64(slot)).hex(), "planted": planted}


def instance_of(network: bytes, subject: bytes, slot: int, level: int) -> bytes:
    return D("verdict", network, subject, u64(slot), u64(level))


def value_of(word: str, evidence: bytes) -> bytes:
    return D("verdict-value", word.encode(), evidence)


def ballot_input(ballot: dict) -> bytes:
    return prefix("verdict-ballot") + cddl.encode("ballot", ballot)


def evidence_digest(evidence: dict) -> bytes:
    """§20.1. @param evidence as it is read"""
    log = D("anchor-event-log", *(part for event in evidence["eventLog"] for part in (event["kind"].encode(), event["digest"])))
    quoted = [sha256(evidence["quote"]).digest(), sha256(evidence["quoteSignature"]).digest(), evidence["pcrs"]["pcr8"], evidence["pcrs"]["pcr14"]]
    about = evidence["checkpoint"]
    return D("anchor-evidence", *quoted, log, u64(about["number"]), about["block"], evidence["operationalKey"])


def qualifier_of(network: bytes, node: bytes, evidence: dict) -> bytes:
    about = evidence["checkpoint"]
    return D("member-evidence", network, u64(about["number"]), about["block"], node, evidence["operationalKey"])


def log_of(evidence: dict) -> str:
    register = bytes(32)
    for event in evidence["eventLog"]:
        register = sha256(register + D("measured-event", event["kind"].encode(), event["digest"])).digest()
    return "replays" if register == evidence["pcrs"]["pcr14"] else "differs"


def judges_of(network: bytes, draw: dict, subject: str, level: int, judges: int) -> dict:
    """§18.3: weights by node, and the whole. Ids are hexadecimal, as in states."""
    weights = dict(zip(draw["seats"], bytes.fromhex(draw["weights"])))
    qualified = {node: weight for node, weight in weights.items() if weight and node != subject}
    drawn = level == 0 and len(set(weights) - {subject}) > judges and len(qualified) >= min(judges, 4)
    open_ = qualified if drawn else dict.fromkeys(weights, 1)
    committee = D("verdict-committee", network, bytes.fromhex(draw["seed"]), bytes.fromhex(subject), u64(draw["slot"]))
    order = sorted(open_, key=lambda node: D("committee-order", committee, bytes.fromhex(node)))
    chosen = {node: open_[node] for node in order[: judges if drawn else 400]}
    return {"weights": chosen, "total": sum(chosen.values())}


# §19

def share(amount: int, divisor: int) -> int:
    return -(-amount // divisor)


CREDIT = {
    "in-verdict": lambda c: c + share(1000 - c, 128),
    "right": lambda c: c + share(1000 - c, 32),
    "wrong": lambda c: c - share(c, 2),
    "silent": lambda c: c - share(c, 8),
    "own-evidence": lambda c: max(c, min(c + 2, 128)),
}


def with_trust(state: dict, node: str, **change) -> dict:
    record = member(state, node)
    return with_member(state, {**record, "trust": {**record["trust"], **change}})


def with_credit(state: dict, nodes: list[str], event: str) -> dict:
    for node in nodes:
        state = with_trust(state, node, credit=CREDIT[event](member(state, node)["trust"]["credit"]))
    return state


# §11.4

def founded(state: dict, parameters: dict) -> dict:
    """What the genesis state has where the genesis has `trust`."""
    trust = {"credit": 256, "attestedUntil": parameters["trustedCheckpoints"], "word": "trusted", "judgedIn": 0, "slots": []}
    members = [{**record, "trust": trust} for record in state["members"]]
    return drawn({**state, "members": members}, 0)


def drawn(state: dict, slot: int) -> dict:
    core, records = state["core"], {record["node"]: record for record in state["members"]}
    weights = bytes(weight_of(core["checkpoint"]["number"], records[seat]) for seat in core["seats"])
    draw = {"slot": slot, "seed": core["epoch"]["seed"], "seats": core["seats"], "weights": weights.hex()}
    return {**state, "core": {**core, "draws": [*core.get("draws", []), draw][-3:]}}


def weight_of(number: int, record: dict) -> int:
    credit, lately = record["trust"]["credit"], number < 16 or number - record["votedIn"] < 16
    qualifies = record["standing"] == "member" and lately and record["trust"]["word"] not in ("untrusted", "disputed") and credit >= 128
    return 1 + min(3, credit // 256) if qualifies else 0


def begun(state: dict, height: int, parameters: dict) -> dict:
    if height % parameters["slotHeights"]:
        return state
    slot, number = height // parameters["slotHeights"], state["core"]["checkpoint"]["number"]
    last = state["core"]["draws"][-1]
    qualified = {seat for seat, weight in zip(last["seats"], bytes.fromhex(last["weights"])) if weight}
    for record in [one for one in state["members"] if "trust" in one]:
        trust = record["trust"]
        shown = {one["slot"] for one in trust["slots"]}
        word = "unreachable" if trust["word"] == "trusted" and slot - 1 not in shown else trust["word"]
        silent = record["node"] in qualified and number - trust["judgedIn"] > parameters["trustedCheckpoints"]
        credit = CREDIT["silent"](trust["credit"]) if silent else trust["credit"]
        state = with_trust(state, record["node"], word=word, credit=credit, slots=[one for one in trust["slots"] if one["slot"] >= slot - 2])
    return drawn(state, slot)


def applied(state: dict, transaction: dict, height: int, time_ms: int, parameters: dict) -> dict:
    if transaction["kind"] == "voucher":
        from replay import applied as shown
        return shown(state, transaction, height, 1)
    if transaction["kind"] == "verdict":
        return judged(state, hexed(transaction), height, parameters)
    if transaction["kind"] == "equivocation":
        return expelled(state, shown_in([{"envelope": transaction["first"]}])[0], height)
    by, action = transaction["by"].hex(), cddl.read("action", transaction["body"])
    return {"attestation": attested, "appeal": appealed, "reveal": revealed}[action["action"]](state, by, action, time_ms)


def expelled(state: dict, node: str, height: int) -> dict:
    boxes = [box for box in state["boxes"] if box["node"] != node]
    seats = [seat for seat in state["core"]["seatsToCome"][-1]["seats"] if seat != node]
    state = with_trust(with_seats({**state, "boxes": boxes}, seats, height), node, credit=0)
    return with_member(state, {**member(state, node), "standing": "expelled"})


def attested(state: dict, by: str, action: dict, time_ms: int) -> dict:
    evidence = cddl.read("member-evidence", action["evidence"])
    boot = {"key": evidence["operationalKey"].hex(), **counts_of(evidence["quote"], clock_info_at(evidence["quote"]))}
    shown = {"slot": action["slot"], "evidence": evidence_digest(evidence).hex(), "timeMs": time_ms, "boot": boot, "log": log_of(evidence)}
    return with_trust(state, by, slots=[*member(state, by)["trust"]["slots"], shown])


def appealed(state: dict, by: str, action: dict, _time_ms: int) -> dict:
    dissent = shown_in(action["ballots"])
    return with_slot(state, action["subject"].hex(), action["slot"], appealedBy=by, **({"dissent": dissent} if dissent else {}))


def shown_in(ballots: list[dict]) -> list[str]:
    return [cddl.read("ballot", cddl.read("envelope", one["envelope"])["body"])["node"].hex() for one in ballots]


def with_slot(state: dict, node: str, slot: int, **change) -> dict:
    return with_trust(state, node, slots=[{**one, **change} if one["slot"] == slot else one for one in member(state, node)["trust"]["slots"]])


def judged(state: dict, verdict: dict, height: int, parameters: dict) -> dict:
    subject, slot, word = verdict["subject"], verdict["slot"], verdict["word"]
    trust, number = member(state, subject)["trust"], state["core"]["checkpoint"]["number"]
    shown = next(one for one in trust["slots"] if one["slot"] == slot)
    voters = [vote["node"] for vote in verdict["votes"]]
    others = [node for node in voters if node != subject]
    first = {"word": word, "height": height, "before": trust["word"], "voters": others}
    change = {"word": word} if not is_later(trust, slot) else {}
    if word == "trusted":
        change |= {"attestedUntil": max(trust["attestedUntil"], number + parameters["trustedCheckpoints"])}
        change |= {"boot": shown["boot"]} if not is_later(trust, slot) else {}
    state = with_slot(with_trust(state, subject, **change), subject, slot, **({"closed": word} if verdict["level"] else {"verdict": first}))
    if verdict["level"] == 0:
        state = with_credit(with_credit(state, [subject] if word == "trusted" else [], "own-evidence"), others, "in-verdict")
    else:
        state = seated(state, subject, word, height)
        right = (shown["verdict"]["word"] == "trusted") == (word == "trusted")
        state = with_credit(state, shown["verdict"]["voters"], "right" if right else "wrong")
        dissent = shown.get("dissent", [])
        state = with_credit(state, dissent, "wrong" if right else "right")
        answered = "appealedBy" in shown and not (right and dissent)
        state = with_credit(state, [shown["appealedBy"]] if answered else [], "wrong" if right else "right")
    for node in voters:
        state = with_trust(state, node, judgedIn=number)
    return state


def is_later(trust: dict, slot: int) -> bool:
    return any(one["slot"] > slot and "verdict" in one and one.get("closed") != "revealed" for one in trust["slots"])


def seated(state: dict, node: str, word: str, height: int) -> dict:
    trust, seats = member(state, node)["trust"], state["core"]["seatsToCome"][-1]["seats"]
    if word == "trusted" and "demotedHeight" in trust:
        rest = {name: value for name, value in trust.items() if name != "demotedHeight"}
        return with_member(with_seats(state, sorted([*seats, node]), height), {**member(state, node), "trust": rest})
    if word != "trusted" and "demotedHeight" not in trust:
        return with_trust(with_seats(state, [seat for seat in seats if seat != node], height), node, demotedHeight=height)
    return state


def revealed(state: dict, by: str, action: dict, _time_ms: int) -> dict:
    trust, slot = member(state, by)["trust"], action["slot"]
    verdict = next(one for one in trust["slots"] if one["slot"] == slot).get("verdict", {"word": "", "voters": []})
    if verdict["word"] and not is_later(trust, slot):
        state = with_trust(state, by, word=verdict["before"])
    state = with_credit(with_slot(state, by, slot, closed="revealed"), verdict["voters"], "right" if verdict["word"] == "untrusted" else "wrong")
    charged = [] if verdict["word"] == "untrusted" else verdict["voters"]
    return with_credit(state, [node for node in shown_in(action["wrong"]) if node not in charged], "wrong")


def replay(network: dict, steps: list[dict]) -> list[str]:
    """Roots after each step: a height, a checkpoint, or a transaction at a height."""
    _, _, state = chain.genesis_position(network)
    parameters, roots = network["genesis"]["trust"], []
    for step in steps:
        if "checkpoint" in step:
            state = {**state, "core": {**state["core"], "checkpoint": step["checkpoint"]}}
            for node in step["voted"]:
                state = with_member(state, {**member(state, node), "votedIn": step["checkpoint"]["number"]})
        elif "transaction" in step:
            state = applied(state, cddl.read("transaction", bytes.fromhex(step["transaction"])), step["height"], step["timeMs"], parameters)
        else:
            state = begun(state, step["height"], parameters)
        roots.append(chain.state_root(state).hex())
    return roots

"""Values of every structure made from the CDDL alone: proper ones, and for each bound one at it and one beyond it."""
import re

import cbor
from cddl import RULES, fields_of, resolved

ROOTS = (
    "network", "genesis", "member", "block", "header", "time-certificate", "transaction", "voucher", "member-card", "action",
    "core-state", "member-standing", "member-record", "box-record", "capsule-record", "state-proof", "member-evidence", "member-trust", "slot-draw", "envelope", "ballot", "proposal",
    "finality-certificate", "finality-proof", "head-announcement", "chain-request", "chain-response", "anchor-votes",
)
TEXTS = ("", "a", "0", "f" * 32, "a" * 32, "a" * 33, "0" * 31, "g" * 32, "F" * 32, "-a", "a-", "a-b", "python3+x", "A", "self-reported", "ä", "a\n")
TAGS = ("kind", "action", "want", "response")
URLS = {"peersUrl": "mqtts://alpha.example:8884", "endpoints": "https://chain.example"}


def proper(kind, name="") -> object:
    """A whole value: optional fields present, each list with what it needs and one item at least."""
    kind = resolved(kind)
    what = kind[0]
    if what == "choice":
        return proper(kind[1][0])
    if what == "is":
        return kind[1]
    if what == "bool":
        return True
    if what == "int":
        return kind[1]
    if what == "text":
        return next(text for text in TEXTS if re.fullmatch(kind[1], text))
    if what == "sized-text":
        return URLS.get(name) or "a" * max(1, kind[1])
    if what == "bstr":
        return bytes([7]) * max(1, kind[1])
    if what == "list":
        return [proper(kind[3], name) for _ in range(max(1, kind[1]))]
    return {field: proper(part, field) for field, _, part in fields_of(kind[1])}


def spread(kind, name=""):
    """(what, value, whether it is as declared) for every place of a value in turn, the rest of it proper."""
    kind = resolved(kind)
    what = kind[0]
    if what == "choice":
        for option in kind[1]:
            yield from spread(option)
        tag, words = words_of(kind)
        yield f"another word than {', '.join(words)}", {tag: "other"} if tag else "other", False
    elif what == "is":
        yield "as it is", kind[1], True
        yield "another", 2 if kind[1] == 1 else f"{kind[1]}x", False
    elif what == "bool":
        yield "no", False, True
        yield "a number", 0, False
    elif what == "int":
        yield from (("least", kind[1], True), ("greatest", kind[2], True), ("beyond", kind[2] + 1, False), ("below", kind[1] - 1, False))
    elif what == "text":
        for text in TEXTS:
            yield repr(text), text, re.fullmatch(kind[1], text) is not None
    elif what == "sized-text":
        yield "too long", "a" * (kind[2] + 1), False
        if name not in URLS:
            yield "longest", "a" * kind[2], True
    elif what == "bstr":
        for size, holds in ((kind[1], True), (kind[2], True), (kind[2] + 1, False), (kind[1] - 1, False)):
            if size >= 0:
                yield f"{size} bytes", bytes([7]) * size, holds
        yield "text", "07" * max(1, kind[1]), False
    elif what == "list":
        item = proper(kind[3], name)
        for size, holds in ((kind[1], True), (kind[2], True), (kind[2] + 1, False), (kind[1] - 1, False)):
            if size >= 0:
                yield f"{size} items", [item] * size, holds
        for place, value, holds in spread(kind[3], name):
            yield f"[0] {place}", [value, *[item] * (max(1, kind[1]) - 1)], holds
    else:
        whole = proper(kind)
        yield "whole", whole, True
        known = [field for field, _, part in fields_of(kind[1]) if not (field in TAGS and resolved(part)[0] == "is")]
        yield f"another field than {', '.join(known)}", {**whole, "zz": 1}, False
        for field, optional, part in fields_of(kind[1]):
            yield f"without {field}", {key: value for key, value in whole.items() if key != field}, optional
            for place, value, holds in spread(part, field):
                yield f"{field}: {place}", {**whole, field: value}, holds


def words_of(kind):
    """The field that tells the variants of a map apart, if it is one, and its words."""
    options = [resolved(option) for option in kind[1]]
    if options[0][0] == "is":
        return None, [option[1] for option in options]
    tags = [next((name, resolved(part)[1]) for name, _, part in fields_of(option[1]) if resolved(part)[0] == "is") for option in options]
    return tags[0][0], [word for _, word in tags]


def hexed(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [hexed(item) for item in value]
    return {key: hexed(item) for key, item in value.items()} if isinstance(value, dict) else value


def variants(rule: str) -> list:
    """A proper value of each variant, byte strings as in vectors."""
    kind = RULES[rule]
    return [hexed(proper(option)) for option in (kind[1] if kind[0] == "choice" else [kind])]


def print_all() -> None:
    for rule in ROOTS:
        for place, value, holds in spread(RULES[rule]):
            print(rule, "good" if holds else "bad", cbor.encode(value).hex(), place, sep="\t")

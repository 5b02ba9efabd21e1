"""Reads the CDDL blocks of protocol/README.md (as much of RFC 8610 as they use), and holds values to them.

In vectors a byte string is hexadecimal text; `from_json` and `to_json` convert by the declared type.
"""
import re
from pathlib import Path

import cbor

README = Path(__file__).resolve().parents[3] / "protocol" / "README.md"
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\.\.|\.size|\.regexp|[A-Za-z][\w-]*|\d+|[{}()\[\]=:?*/,])')


def tokens_of(text: str) -> list[str]:
    text = "\n".join(re.sub(r'("(?:[^"\\]|\\.)*")|;.*', lambda found: found[1] or "", line) for line in text.split("\n"))
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise SyntaxError(f"CDDL: {text[at:at + 40]!r}")
        tokens.append(found[1])
        at = found.end()
    return tokens


class Reader:
    def __init__(self, tokens):
        self.tokens, self.at = tokens, 0

    def peek(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, wanted=None):
        token = self.peek()
        if wanted is not None and token != wanted:
            raise SyntaxError(f"CDDL: {token!r} where {wanted!r} should be")
        self.at += 1
        return token

    def rules(self):
        rules = {}
        while self.peek():
            name = self.take()
            self.take("=")
            if name in rules:
                raise SyntaxError(f"CDDL: {name} is declared twice")
            rules[name] = self.fields("(", ")") if self.peek() == "(" else self.type()
        return rules

    def type(self):
        kinds = [self.one()]
        while self.peek() == "/":
            self.take()
            kinds.append(self.one())
        return kinds[0] if len(kinds) == 1 else ("choice", kinds)

    def one(self):
        token = self.peek()
        if token == "{":
            return ("map", self.fields("{", "}")[1])
        if token == "[":
            self.take()
            least, most = int(self.take()), (self.take("*"), int(self.take()))[1]
            item = self.type()
            self.take("]")
            return ("list", least, most, item)
        self.take()
        if token.startswith('"'):
            return ("is", token[1:-1])
        if token.isdigit():
            if self.peek() != "..":
                return ("is", int(token))
            self.take()
            return ("int", int(token), int(self.take()))
        if token in ("bstr", "text"):
            control = self.take()
            if control == ".regexp":
                return ("text", self.take()[1:-1])
            if self.peek() == "(":
                self.take()
                least, most = int(self.take()), (self.take(".."), int(self.take()))[1]
                self.take(")")
            else:
                least = most = int(self.take())
            return (token if token == "bstr" else "sized-text", least, most)
        return ("rule", token)

    def fields(self, opening, closing):
        fields = []
        self.take(opening)
        while self.peek() != closing:
            optional = self.peek() == "?"
            if optional:
                self.take()
            if self.peek(1) == ":":
                name = self.take()
                self.take(":")
                fields.append((name, optional, self.type()))
            else:
                fields.append((None, False, ("rule", self.take())))
            if self.peek() == ",":
                self.take()
        self.take(closing)
        return ("group", fields)


def read_rules() -> dict:
    blocks = re.findall(r"```cddl\n(.*?)```", README.read_text(), re.DOTALL)
    return Reader(tokens_of("\n".join(blocks))).rules()


RULES = read_rules()


def fields_of(fields):
    for name, optional, kind in fields:
        if name is None:
            yield from fields_of(RULES[kind[1]][1])
        else:
            yield name, optional, kind


def resolved(kind):
    while kind[0] == "rule":
        if kind[1] == "bool":
            return ("bool",)
        kind = RULES[kind[1]]
    return kind


def variant(kind, value):
    """Of several maps, the one of which the words fit."""
    for option in map(resolved, kind[1]):
        if option[0] == "is" and option[1] == value:
            return option
        if option[0] == "map" and isinstance(value, dict):
            words = [(name, resolved(part)[1]) for name, _, part in fields_of(option[1]) if resolved(part)[0] == "is"]
            if words and all(value.get(name) == word for name, word in words):
                return option
        if option[0] == "choice":
            try:
                return variant(option, value)
            except cbor.Malformed:
                continue
    raise cbor.Malformed("none of the variants")


def walk(kind, value, bytes_of):
    """The value, held to its declaration, with byte strings converted."""
    kind = resolved(kind)
    if kind[0] == "choice":
        kind = variant(kind, value)
    what = kind[0]
    if what == "is" and value == kind[1] and type(value) is type(kind[1]):
        return value
    if what == "bool" and isinstance(value, bool):
        return value
    if what == "int" and type(value) is int and kind[1] <= value <= kind[2]:
        return value
    if what == "text" and isinstance(value, str) and re.fullmatch(kind[1], value):
        return value
    if what == "sized-text" and isinstance(value, str) and kind[1] <= len(value.encode()) <= kind[2]:
        return value
    if what == "bstr":
        converted, size = bytes_of(value)
        if kind[1] <= size <= kind[2]:
            return converted
    if what == "list" and isinstance(value, list) and kind[1] <= len(value) <= kind[2]:
        return [walk(kind[3], item, bytes_of) for item in value]
    if what == "map" and isinstance(value, dict):
        fields = list(fields_of(kind[1]))
        if set(value) <= {name for name, _, _ in fields} and all(name in value or optional for name, optional, _ in fields):
            return {name: walk(part, value[name], bytes_of) for name, _, part in fields if name in value}
    raise cbor.Malformed(f"{str(value)[:80]} is not as declared: {kind[:3]}")


def encode(rule: str, value: dict) -> bytes:
    """Strict form of a value from a vector, where byte strings are hexadecimal."""
    return cbor.encode(walk(("rule", rule), value, lambda text: (bytes.fromhex(text), len(text) // 2)))


def read(rule: str, encoded: bytes):
    """The value with byte strings as bytes, if the bytes are the strict form of one that is as declared."""
    def as_bytes(value):
        if not isinstance(value, bytes):
            raise cbor.Malformed("not a byte string")
        return value, len(value)

    return walk(("rule", rule), cbor.decode(encoded), as_bytes)

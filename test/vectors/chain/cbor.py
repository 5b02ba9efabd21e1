"""Core deterministic CBOR as Specification §2.1 has it: integers, byte and text strings, lists, maps with text keys, booleans."""


class Malformed(Exception):
    """Bytes that are not the one strict form of a value."""


def head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes([major << 5 | value])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | code]) + value.to_bytes(size, "big")
    raise ValueError(f"{value} has no head")


def encode(value) -> bytes:
    if value is True or value is False:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise TypeError(f"{type(value)} does not travel")


def decode(data: bytes):
    """The value, if the bytes are its strict form."""
    value, at = item_at(data, 0)
    if at != len(data) or encode(value) != data:
        raise Malformed("not the strict form of one value")
    return value


def item_at(data: bytes, at: int):
    if at >= len(data):
        raise Malformed("the bytes end inside an item")
    major, low = data[at] >> 5, data[at] & 31
    if major == 7 and low in (20, 21):
        return low == 21, at + 1
    if low > 27 or major > 5:
        raise Malformed("an item that is not used here")
    size = 0 if low < 24 else 1 << (low - 24)
    value = low if low < 24 else int.from_bytes(data[at + 1 : at + 1 + size], "big")
    at += 1 + size
    if major < 2:
        return (value if major == 0 else -1 - value), at
    if major < 4:
        if at + value > len(data):
            raise Malformed("a string that is longer than the bytes")
        piece = data[at : at + value]
        try:
            return (piece if major == 2 else piece.decode()), at + value
        except UnicodeDecodeError as error:
            raise Malformed("text that is not UTF-8") from error
    if major == 4:
        items = []
        for _ in range(value):
            item, at = item_at(data, at)
            items.append(item)
        return items, at
    fields = {}
    for _ in range(value):
        key, at = item_at(data, at)
        if not isinstance(key, str):
            raise Malformed("a key that is not text")
        fields[key], at = item_at(data, at)
    return fields, at

"""Verification with Ed25519 (RFC 8032) and ECDSA P-256 with SHA-256 (FIPS 186-5), slow and plain."""
from hashlib import sha256, sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SMALL = 8


def edwards_add(a, b):
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def edwards_times(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = edwards_add(result, point)
        point, scalar = edwards_add(point, point), scalar >> 1
    return result


def edwards_point(encoded: bytes):
    """The point; none where the bytes are no canonical encoding of one."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


BASE = edwards_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_usable_ed25519(key: bytes) -> bool:
    point = edwards_point(key)
    return point is not None and edwards_times(SMALL, point) != (0, 1)


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    point, commitment = edwards_point(key), edwards_point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or commitment is None or scalar >= L or not is_usable_ed25519(key):
        return False
    challenge = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % L
    return edwards_times(scalar, BASE) == edwards_add(commitment, edwards_times(challenge, point))


Q = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def p256_add(a, b):
    if a is None or b is None:
        return b if a is None else a
    (x1, y1), (x2, y2) = a, b
    if x1 == x2 and (y1 + y2) % Q == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, Q) if a == b else (y2 - y1) * pow(x2 - x1, -1, Q)
    x = (slope * slope - x1 - x2) % Q
    return x, (slope * (x1 - x) - y1) % Q


def p256_times(scalar, point):
    result = None
    while scalar:
        if scalar & 1:
            result = p256_add(result, point)
        point, scalar = p256_add(point, point), scalar >> 1
    return result


def verify_p256(point, message: bytes, r: int, s: int) -> bool:
    x, y = point
    if not (0 < r < N and 0 < s < N and x < Q and y < Q and (y * y - x * x * x + 3 * x - B) % Q == 0):
        return False
    digest, inverse = int.from_bytes(sha256(message).digest(), "big"), pow(s, -1, N)
    found = p256_add(p256_times(digest * inverse % N, G), p256_times(r * inverse % N, point))
    return found is not None and found[0] % N == r

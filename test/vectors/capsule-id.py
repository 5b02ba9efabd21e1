#!/usr/bin/env python3
"""Makes capsule-id.json: request digests and capsule ids from nothing but SHA-256. Specification §2.5, §7.2.

Run: python3 test/vectors/capsule-id.py > test/vectors/capsule-id.json
"""
from hashlib import sha256
from json import dumps


def digest(domain: str, *parts: bytes) -> bytes:
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return sha256(f"capstan/1/{domain}\0".encode() + framed).digest()


def case(gateway: str, client: str, serial: int) -> dict:
    network, capsule = sha256(b"network").digest(), sha256(b"capsule %d" % serial).digest()
    request = sha256(b"request %d" % serial).digest()[:16]
    request_digest = digest("capsule-request", client.encode(), request)
    identity = digest("capsule", network, gateway.encode(), request_digest, capsule)[:16]
    return {
        "network": network.hex(),
        "gateway": gateway,
        "client": client,
        "request": request.hex(),
        "capsuleDigest": capsule.hex(),
        "requestDigest": request_digest.hex(),
        "capsule": identity.hex(),
    }


print(dumps([case("alpha", "you", 1), case("bravo", "you", 1), case("alpha", "lab-2", 1), case("a", "alpha-you", 2)], indent=1))

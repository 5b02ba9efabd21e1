#!/usr/bin/env python3
"""Makes elapsed-draw.json: draws and waits by decimal arithmetic with 80 digits. Specification §12.2.

Nothing here follows the squarings of protocol/chain/elapsed-draw.ts: the logarithm is the one of Python's decimal module.
Run: python3 test/vectors/elapsed-draw.py > test/vectors/elapsed-draw.json
"""
from decimal import Decimal, getcontext
from fractions import Fraction
from hashlib import sha256
from json import dumps
from math import floor

getcontext().prec = 80
LN2 = Decimal(2).ln()
CONSTANT = floor(LN2 * 2**40)


def case(uniform: int) -> dict:
    output = (uniform - 1).to_bytes(8, "big") + sha256(str(uniform).encode()).digest()[:24]
    digits = floor(Decimal(uniform).ln() / LN2 * 2**48 + Decimal("1e-50"))
    logarithm = floor(Fraction((64 * 2**48 - digits) * CONSTANT, 2**48))
    exact = -(Decimal(uniform) / 2**64).ln() * 2**40
    waits = [
        {"seats": seats, "targetIntervalMs": target, "minimumWaitMs": least, "waitMs": least + floor(Fraction(target * seats * logarithm, 2**40))}
        for seats, target, least in ((1, 100, 0), (4, 20_000, 500), (1024, 3_600_000, 3_600_000))
    ]
    return {"output": output.hex(), "logarithm": str(logarithm), "exact": f"{exact:.12f}", "waits": waits}


def uniforms() -> list[int]:
    edges = [1, 2, 3, 5, 2**64, 2**64 - 1, 2**64 - 2, 2**63 + 1, 2**63 - 1, 3 * 2**62, 10**19, 10**12 + 39]
    powers = [2**bit for bit in range(2, 64)]
    around = [2**bit + step for bit in (8, 31, 32, 33, 53, 62) for step in (-1, 1)]
    drawn = [1 + int.from_bytes(sha256(f"draw {index}".encode()).digest()[:8], "big") for index in range(200)]
    return edges + powers + around + drawn


print(dumps([case(uniform) for uniform in uniforms()], indent=1))

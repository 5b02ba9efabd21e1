/**
 * RSA keys that chips of one vendor made badly (ROCA, CVE-2017-15361): their primes are powers of 65537 modulo every
 * small prime. Nemec, Sys, Svenda, Klinec, Matyas: "The Return of Coppersmith's Attack", CCS 2017, section 3.
 */

/** Primes of the smallest affected key length; the longer ones contain them. */
const primes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
  149, 151, 157, 163, 167,
];

/** A sound key has all of these residues by chance once in 2^27 or so. */
const residues = primes.map((prime) => ({ prime: BigInt(prime), powers: powersModulo(prime) }));

/** @param modulus big-endian */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  const n = BigInt(`0x0${modulus.toHex()}`);
  return residues.every(({ prime, powers }) => powers.has(Number(n % prime)));
}

function powersModulo(prime: number): Set<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
}

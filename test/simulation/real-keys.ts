/**
 * Real secrets of a simulated chip, in software, which follow from its name, so that a seed with real signatures has the same
 * transcript everywhere. Finding primes takes a second, so RSA keys are kept from run to run.
 */
import {
  checkPrimeSync,
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  privateDecrypt,
  sign as signWith,
  type KeyObject,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { p256 } from '@noble/curves/nist.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { stubModulus } from './stub-certificate.ts';
import { stretched } from './stub-crypto.ts';
import type { KeySource } from './stub-tpm.ts';

const folder = fileURLToPath(new URL('../../build/simulation/', import.meta.url));
const inMemory = new Map<string, KeySource>();
const encoder = new TextEncoder();
const rsaExponent = 65_537n;

/** @param vrfOf whose VRF key it has, where another's will do: finding primes takes a second */
export function realKeySource(name: string, vrfOf: string = name): KeySource {
  const id = `${name} ${vrfOf}`;
  const known = inMemory.get(id) ?? made(name, vrfOf);
  inMemory.set(id, known);
  return known;
}

function made(name: string, vrfOf: string): KeySource {
  const secret = stretched(encoder.encode(`attestation ${name}`), 32);
  secret[0] = (secret[0] ?? 0) & 0x7f;
  const point = p256.getPublicKey(secret, false);
  const vrf = keptRsaKey(vrfOf);
  const operational = new Map<string, ReturnType<KeySource['operationalKey']>>();
  return {
    // Its secret does nothing here.
    endorsementModulus: stubModulus(`endorsement ${name}`),
    attestationPoint: { x: point.slice(1, 33), y: point.slice(33) },
    vrfModulus: base64url(createPublicKey(vrf).export({ format: 'jwk' }).n ?? ''),
    // Of RFC 6979: the same signature for the same bytes.
    signAttestation: (_point, bytes) => p256.sign(bytes, secret, { prehash: true, lowS: true, format: 'compact' }),
    rsaOperation: (encoded) => plain(privateDecrypt({ key: vrf, padding: constants.RSA_NO_PADDING }, encoded)),
    operationalKey: (boot) => {
      const key = operational.get(boot) ?? operationalKey(`${name} ${boot}`);
      operational.set(boot, key);
      return key;
    },
  };
}

function keptRsaKey(name: string): KeyObject {
  const file = `${folder}${name}-vrf.json`;
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const written = `${file}.${process.pid}`;
    writeFileSync(written, JSON.stringify(rsaKeyOf(`vrf ${name}`)));
    renameSync(written, file);
  }
  return createPrivateKey({ key: JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>, format: 'jwk' });
}

/** RFC 8017 section 3.2, as a JSON web key. */
function rsaKeyOf(seed: string): Record<string, string> {
  const [p, q] = [primeFrom(`${seed} p`), primeFrom(`${seed} q`)];
  const d = inverse(rsaExponent, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e: rsaExponent, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  return { kty: 'RSA', ...Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, base64urlOf(number)])) };
}

/** The first prime at or above a number that follows from the seed, of 1,024 bits with the two highest set. */
function primeFrom(seed: string): bigint {
  const bytes = stretched(encoder.encode(seed), 128);
  let candidate = bytesToNumberBE(bytes.with(0, (bytes[0] ?? 0) | 0xc0)) | 1n;
  while ((candidate - 1n) % rsaExponent === 0n || !checkPrimeSync(candidate)) candidate += 2n;
  return candidate;
}

/** Euclid's extended algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [low, high, lowFactor, highFactor] = [value % modulus, modulus, 1n, 0n];
  while (low > 1n) {
    const times = high / low;
    [low, high, lowFactor, highFactor] = [high % low, low, highFactor - times * lowFactor, lowFactor];
  }
  return ((lowFactor % modulus) + modulus) % modulus;
}

/** Ed25519 with a seed that follows from the name. */
function operationalKey(name: string): ReturnType<KeySource['operationalKey']> {
  const seed = createHash('sha256').update(name).digest();
  const privateKey = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = plain(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { publicKey, sign: (message) => plain(signWith(null, message, privateKey)) };
}

function base64urlOf(number: bigint): string {
  const bytes = numberToBytesBE(number, Math.ceil(number.toString(16).length / 2));
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
}

function base64url(text: string): Uint8Array {
  return Uint8Array.fromBase64(text, { alphabet: 'base64url' });
}

function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer);
}

/**
 * SPAKE2+ (RFC 9383), ciphersuite P256-SHA256-HKDF-SHA256-HMAC-SHA256: two parties that share a short code get a strong key,
 * and whoever listens or stands between them can test one guess of the code for each exchange. Pure. Specification §5.6.
 *
 * Big integers of JavaScript take no constant time: whoever measures it learns at most about scalars that are used once.
 */
import { p256 } from '@noble/curves/nist.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { scrypt } from '@noble/hashes/scrypt.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';

const { Point } = p256;
type Point = InstanceType<typeof Point>;
const order = Point.Fn.ORDER;

/** RFC 9383 section 4, P-256: nobody knows their logarithms. */
const M = Point.fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = Point.fromHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');

/** SEC1 uncompressed: 0x04, x, y. */
export const SHARE_BYTES = 65;
export const SCALAR_BYTES = 32;

/**
 * Cost of trying one code for whoever has taken w0 and L from the device: 32 MiB and 0.1 s of a processor. Twice as much is
 * felt on a board with 512 MiB; the length of the output is that of two scalars with 64 bits to spare each (RFC 9383 §3.2).
 */
export const STRETCH = { N: 2 ** 15, r: 8, p: 1, dkLen: 80 } as const;

/** What the prover makes of the code. Scalars, 32 bytes each. */
export interface ProverSecret {
  readonly w0: Uint8Array;
  readonly w1: Uint8Array;
}

/** What the verifier keeps: enough to check the code, not to show it. `l` is a point, {@link SHARE_BYTES}. */
export interface VerifierRecord {
  readonly w0: Uint8Array;
  readonly l: Uint8Array;
}

/** What both ends must agree on, whatever it is for them. */
export interface Exchange {
  readonly context: Uint8Array;
  readonly idProver: Uint8Array;
  readonly idVerifier: Uint8Array;
}

export interface ExchangeKeys {
  /** To be sent by the prover, and to be expected by the verifier. 32 bytes, as the others. */
  readonly confirmP: Uint8Array;
  /** To be sent by the verifier, and to be expected by the prover. */
  readonly confirmV: Uint8Array;
  /** Of use once the other end's confirmation holds. */
  readonly shared: Uint8Array;
}

/** What goes into the memory-hard function: len(pw) ‖ pw ‖ len(idProver) ‖ idProver ‖ len(idVerifier) ‖ idVerifier (§3.2). */
export function stretchInput(code: Uint8Array, idProver: Uint8Array, idVerifier: Uint8Array): Uint8Array {
  return framed(code, idProver, idVerifier);
}

/** The memory-hard function in plain TypeScript; Node's own computes the same off the thread. */
export function stretch(input: Uint8Array, salt: Uint8Array): Uint8Array {
  return scrypt(input, salt, STRETCH);
}

/** @param stretched 80 bytes */
export function proverSecretOf(stretched: Uint8Array): ProverSecret {
  const half = stretched.length / 2;
  return { w0: scalarOf(stretched.subarray(0, half)), w1: scalarOf(stretched.subarray(half)) };
}

export function verifierRecordOf({ w0, w1 }: ProverSecret): VerifierRecord {
  return { w0, l: Point.BASE.multiply(numberOf(w1)).toBytes(false) };
}

/** A scalar from random bytes, or from a stretched code. @param random at least 40 bytes, so that the remainder is even */
export function scalarOf(random: Uint8Array): Uint8Array {
  return numberToBytesBE(bytesToNumberBE(random) % order, SCALAR_BYTES);
}

/** shareP = x·P + w0·M. @param x a fresh scalar */
export function proverShare({ w0 }: ProverSecret, x: Uint8Array): Uint8Array {
  return Point.BASE.multiply(numberOf(x))
    .add(M.multiply(numberOf(w0)))
    .toBytes(false);
}

/** shareV = y·P + w0·N. @param y a fresh scalar */
export function verifierShare({ w0 }: VerifierRecord, y: Uint8Array): Uint8Array {
  return Point.BASE.multiply(numberOf(y))
    .add(N.multiply(numberOf(w0)))
    .toBytes(false);
}

/** The prover's keys. @returns undefined where `shareV` is no share */
export function finishProver(exchange: Exchange, secret: ProverSecret, x: Uint8Array, shareV: Uint8Array): ExchangeKeys | undefined {
  const other = pointOf(shareV);
  if (!other) return undefined;
  const bare = other.subtract(N.multiply(numberOf(secret.w0)));
  if (bare.is0()) return undefined;
  const shares = { shareP: proverShare(secret, x), shareV };
  return schedule(exchange, shares, bare.multiply(numberOf(x)), bare.multiply(numberOf(secret.w1)), secret.w0).keys;
}

/** The verifier's keys. @returns undefined where `shareP` is no share */
export function finishVerifier(exchange: Exchange, record: VerifierRecord, y: Uint8Array, shareP: Uint8Array): ExchangeKeys | undefined {
  const [other, l] = [pointOf(shareP), pointOf(record.l)];
  if (!other || !l) return undefined;
  const bare = other.subtract(M.multiply(numberOf(record.w0)));
  if (bare.is0()) return undefined;
  const shares = { shareP, shareV: verifierShare(record, y) };
  return schedule(exchange, shares, bare.multiply(numberOf(y)), l.multiply(numberOf(y)), record.w0).keys;
}

/** Whether these bytes are a share: a point of the curve, uncompressed; the identity has no such form. */
export function isShare(bytes: Uint8Array): boolean {
  return pointOf(bytes) !== undefined;
}

/** Transcript and key schedule (§3.3, §3.4), with what stands between for the vectors of Appendix C. Points Z and V are not the identity. */
export function schedule(
  { context, idProver, idVerifier }: Exchange,
  { shareP, shareV }: { readonly shareP: Uint8Array; readonly shareV: Uint8Array },
  Z: Point,
  V: Point,
  w0: Uint8Array,
) {
  const points = [M.toBytes(false), N.toBytes(false), shareP, shareV, Z.toBytes(false), V.toBytes(false)];
  const transcript = framed(context, idProver, idVerifier, ...points, w0);
  const main = sha256(transcript);
  const confirmationKeys = derived(main, 'ConfirmationKeys', 64);
  const [confirmPKey, confirmVKey] = [confirmationKeys.subarray(0, 32), confirmationKeys.subarray(32)];
  const keys: ExchangeKeys = {
    confirmP: hmac(sha256, confirmPKey, shareV),
    confirmV: hmac(sha256, confirmVKey, shareP),
    shared: derived(main, 'SharedKey', 32),
  };
  return { transcript, main, confirmPKey, confirmVKey, keys };
}

function derived(main: Uint8Array, label: string, length: number): Uint8Array {
  return expand(sha256, extract(sha256, main), encoder.encode(label), length);
}

const encoder = new TextEncoder();

/** Each part behind its length, 8 bytes little-endian. */
function framed(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...parts.flatMap((part) => [lengthOf(part), part]));
}

function lengthOf(part: Uint8Array): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(part.length), true);
  return length;
}

function pointOf(bytes: Uint8Array): Point | undefined {
  if (bytes.length !== SHARE_BYTES) return undefined;
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

function numberOf(scalar: Uint8Array): bigint {
  return bytesToNumberBE(scalar);
}

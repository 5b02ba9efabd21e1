/** Signed messages: what a signature covers, and what it is not good for. Specification §2.6. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign as signWith } from 'node:crypto';
import { describe, test } from 'node:test';
import { encodeStrict } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, DOMAINS } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { integer, struct } from '#protocol/schema.ts';
import {
  Envelope,
  openSigned,
  peekSigned,
  sealBody,
  signedKind,
  signingInput,
  signMessage,
  type VerificationKey,
} from '#protocol/signed.ts';
import { crypto, softwareSigner, stranger } from './workshop.ts';

const Note = struct({ number: integer({ min: 0, max: 99 }) });
const Kind = signedKind('challenge', Note);
const author = softwareSigner(blobDigest(Uint8Array.of(3)));
const key: VerificationKey = { algorithm: 'ed25519', publicKey: author.publicKey };
const message = signMessage(Kind, { number: 7 }, author.sign);
const body = encodeStrict(Note, { number: 7 });
const signature = author.sign(signingInput('challenge', body));

function reasonOf(encoded: Uint8Array, expected: VerificationKey = key, kind = Kind): string {
  const opened = openSigned(kind, encoded, expected, crypto);
  return opened.status === 'refused' ? opened.reason : opened.status;
}

test('a message is the strict form of body and signature, and opens to its value and exact body (§2.6)', () => {
  assert.deepEqual(message, encodeStrict(Envelope, { body, signature }));
  assert.deepEqual(openSigned(Kind, message, key, crypto), { status: 'authentic', value: { number: 7 }, body });
  assert.deepEqual(openSigned(Kind, message, key, nobleCrypto), { status: 'authentic', value: { number: 7 }, body });
});

test('a signature counts in its own domain only (§2.6)', () => {
  for (const domain of DOMAINS)
    assert.equal(reasonOf(message, key, signedKind(domain, Note)), domain === 'challenge' ? 'authentic' : 'bad-signature', domain);
});

test('a signature by another key is refused (§2.6)', () => {
  assert.equal(reasonOf(message, { algorithm: 'ed25519', publicKey: stranger.publicKey }), 'bad-signature');
  assert.equal(reasonOf(message, { algorithm: 'ecdsa-p256-sha256', point: new Uint8Array(65).fill(4) }), 'bad-signature');
  assert.equal(reasonOf(message, { algorithm: 'ed25519', publicKey: new Uint8Array(32) }), 'bad-signature');
});

test('every changed bit of a message is refused (§2.6)', () => {
  for (const at of message.keys()) {
    for (let bit = 0; bit < 8; bit++) {
      assert.notEqual(reasonOf(message.with(at, message[at]! ^ (1 << bit))), 'authentic', `bit ${bit} of byte ${at}`);
    }
  }
});

test('a message cut anywhere, or with bytes after it, is refused (§2.1)', () => {
  for (const at of message.keys()) assert.equal(reasonOf(message.subarray(0, at)), 'malformed', `cut at ${at}`);
  assert.equal(reasonOf(new Uint8Array([...message, 0])), 'malformed');
  assert.equal(reasonOf(new Uint8Array([...message, ...message])), 'malformed');
});

describe('a signature covers the bytes that travelled, not the value that they mean (§2.6)', () => {
  const signedAs = (other: Uint8Array): Uint8Array => sealBody(other, author.sign(signingInput('challenge', other)));

  test('a body in another than the strict form is refused although its signature holds', () => {
    assert.equal(reasonOf(signedAs(Uint8Array.fromHex('bf666e756d62657207ff'))), 'malformed');
    assert.equal(reasonOf(signedAs(Uint8Array.fromHex('a1666e756d6265721807'))), 'malformed');
    assert.equal(reasonOf(signedAs(new Uint8Array([...body, 0]))), 'malformed');
  });

  test('a body that means the same under another signature is refused', () => {
    assert.equal(reasonOf(sealBody(Uint8Array.fromHex('a1666e756d6265721807'), signature)), 'bad-signature');
  });

  test('a body out of its declared bounds is refused although its signature holds', () => {
    assert.equal(reasonOf(signedAs(Uint8Array.fromHex('a1666e756d6265721864'))), 'malformed');
    assert.equal(reasonOf(signedAs(Uint8Array.fromHex('a0'))), 'malformed');
  });
});

test('a signature is checked before the body is looked at (§2.6)', () => {
  assert.equal(reasonOf(sealBody(Uint8Array.of(0xff), signature)), 'bad-signature');
});

test('a signature of another length is refused (§2.6)', () => {
  assert.equal(reasonOf(Uint8Array.fromHex(message.toHex().replace('5840', '583f').slice(0, -2))), 'malformed');
});

test('a message larger than its kind allows is refused (§10)', () => {
  const opened = openSigned({ ...Kind, bytesMax: message.length - 1 }, message, key, crypto);
  assert.ok(opened.status === 'refused' && /bytes; at most/.test(opened.detail));
  assert.equal(LIMITS.signedBytesMax, Kind.bytesMax);
});

test("a message of a TPM's attestation key is ECDSA with SHA-256 over the same input, s in either half (§2.6)", () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const coordinate = (words: string): Uint8Array => Uint8Array.fromBase64(words, { alphabet: 'base64url' });
  const tpm: VerificationKey = { algorithm: 'ecdsa-p256-sha256', point: Uint8Array.of(4, ...coordinate(x), ...coordinate(y)) };
  const made = new Uint8Array(signWith('sha256', signingInput('challenge', body), { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const other = order - BigInt(`0x${made.subarray(32).toHex()}`);
  const mirrored = new Uint8Array([...made.subarray(0, 32), ...Uint8Array.fromHex(other.toString(16).padStart(64, '0'))]);
  assert.equal(reasonOf(sealBody(body, made), tpm), 'authentic');
  assert.equal(reasonOf(sealBody(body, mirrored), tpm), 'authentic');
  assert.equal(reasonOf(sealBody(body, made)), 'bad-signature');
});

test('what an envelope says can be read before anyone knows who signed it, and proves nothing (§2.6)', () => {
  assert.deepEqual(peekSigned(Kind, sealBody(body, new Uint8Array(64))), { status: 'decoded', value: { number: 7 } });
  assert.equal(peekSigned(Kind, body).status, 'malformed');
});

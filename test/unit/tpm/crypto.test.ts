/** The cryptography port: both implementations pass one body of tests. */
import assert from 'node:assert/strict';
import * as node from 'node:crypto';
import { describe, test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import type { Crypto, Curve, HashAlgorithm } from '#protocol/crypto.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { isUsableRsaKey } from '#protocol/rsa.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';

const message = new TextEncoder().encode('a message');
const hashes: HashAlgorithm[] = ['sha256', 'sha384', 'sha512'];
const nodeCrypto = createNodeCrypto();

const rsa = node.generateKeyPairSync('rsa', { modulusLength: 2048 });
const modulus = decoded(rsa.publicKey.export({ format: 'jwk' }).n);
const edPrivate = new Uint8Array(32).fill(7);
const edPublic = ed25519.getPublicKey(edPrivate);

for (const [name, crypto] of Object.entries({ noble: nobleCrypto, node: nodeCrypto })) {
  describe(`${name} cryptography`, () => {
    test('hashes are those of FIPS 180-4', () => {
      for (const hash of hashes) {
        assert.equal(crypto[hash](message).toHex(), node.createHash(hash).update(message).digest('hex'));
        assert.equal(Object.getPrototypeOf(crypto[hash](message)), Uint8Array.prototype);
      }
    });

    test('HMAC is that of RFC 4231 case 2', () => {
      const mac = crypto.hmacSha256(new TextEncoder().encode('Jefe'), new TextEncoder().encode('what do ya want for nothing?'));
      assert.equal(mac.toHex(), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
    });

    for (const curve of ['P-256', 'P-384'] as const) {
      for (const hash of hashes) {
        test(`${curve} with ${hash}: a signature holds, another message, key or byte does not`, () => {
          assertEcdsa(crypto, curve, hash);
        });
      }
    }

    test('an ECDSA signature with high s is accepted, since a TPM does not normalise it', () => {
      const { point, signature } = ecdsa('P-256', 'sha256');
      const s = p256.Point.Fn.ORDER - BigInt(`0x${signature.subarray(32).toHex()}`);
      const other = Uint8Array.of(...signature.subarray(0, 32), ...Uint8Array.fromHex(s.toString(16).padStart(64, '0')));
      assert.equal(crypto.verifyEcdsa('P-256', point, 'sha256', message, other), true);
    });

    test('malformed ECDSA keys and signatures are false, never thrown', () => {
      const { point, signature } = ecdsa('P-256', 'sha256');
      const offCurve = point.with(64, (point[64] ?? 0) ^ 1);
      for (const bad of [
        offCurve,
        new Uint8Array(65),
        point.subarray(0, 33),
        point.with(0, 2),
        new Uint8Array(),
        new Uint8Array(65).fill(255).with(0, 4),
      ])
        assert.equal(crypto.verifyEcdsa('P-256', bad, 'sha256', message, signature), false);
      for (const bad of [new Uint8Array(64), new Uint8Array(64).fill(255), signature.subarray(1), new Uint8Array(), new Uint8Array(65)])
        assert.equal(crypto.verifyEcdsa('P-256', point, 'sha256', message, bad), false);
    });

    test('Ed25519: a signature holds, another message or byte does not (RFC 8032)', () => {
      const signature = ed25519.sign(message, edPrivate);
      assert.equal(crypto.verifyEd25519(edPublic, message, signature), true);
      assert.equal(crypto.verifyEd25519(edPublic, message.subarray(1), signature), false);
      for (const at of [0, 31, 32, 63]) assert.equal(crypto.verifyEd25519(edPublic, message, flipped(signature, at)), false);
    });

    test('Ed25519 signatures with s above the group order are refused (RFC 8032 section 5.1.7)', () => {
      const signature = ed25519.sign(message, edPrivate);
      const s = littleEndian(signature.subarray(32)) + ed25519.Point.Fn.ORDER;
      const other = Uint8Array.of(...signature.subarray(0, 32), ...Uint8Array.fromHex(s.toString(16).padStart(64, '0')).toReversed());
      assert.equal(crypto.verifyEd25519(edPublic, message, other), false);
    });

    test('Ed25519 keys of small order and non-canonical keys are refused', () => {
      for (const key of smallOrderKeys()) {
        const signature = Uint8Array.of(...key, ...new Uint8Array(32));
        for (let nonce = 0; nonce < 16; nonce++) assert.equal(crypto.verifyEd25519(key, Uint8Array.of(nonce), signature), false);
      }
      const nonCanonical = Uint8Array.of(0xee, ...new Uint8Array(30).fill(0xff), 0x7f);
      assert.equal(crypto.verifyEd25519(nonCanonical, message, Uint8Array.of(1, ...new Uint8Array(63))), false);
    });

    test('an Ed25519 signature that only holds times the cofactor is refused, by every implementation', () => {
      const { publicKey, signature } = mixedOrderSignature();
      assert.equal(ed25519.verify(signature, message, publicKey), true);
      assert.equal(crypto.verifyEd25519(publicKey, message, signature), false);
    });

    test('malformed Ed25519 keys and signatures are false, never thrown', () => {
      const signature = ed25519.sign(message, edPrivate);
      for (const bad of [new Uint8Array(), edPublic.subarray(1), new Uint8Array(32).fill(2), new Uint8Array(33)])
        assert.equal(crypto.verifyEd25519(bad, message, signature), false);
      for (const bad of [new Uint8Array(), signature.subarray(1), new Uint8Array(65), new Uint8Array(64).fill(255)])
        assert.equal(crypto.verifyEd25519(edPublic, message, bad), false);
    });

    test('RSA PKCS #1 v1.5: a signature holds, another message, hash, length or byte does not', () => {
      for (const hash of hashes) {
        const signature = new Uint8Array(node.sign(hash, message, rsa.privateKey));
        assert.equal(crypto.verifyRsaPkcs1(modulus, 65537, hash, message, signature), true);
        assert.equal(crypto.verifyRsaPkcs1(modulus, 65537, hash, message.subarray(1), signature), false);
        assert.equal(crypto.verifyRsaPkcs1(modulus, 65537, hash === 'sha256' ? 'sha384' : 'sha256', message, signature), false);
        assert.equal(crypto.verifyRsaPkcs1(modulus, 65537, hash, message, flipped(signature, 100)), false);
        assert.equal(crypto.verifyRsaPkcs1(modulus, 65537, hash, message, signature.subarray(1)), false);
      }
    });

    test('RSA padding that leaves room for other bytes is refused (Bleichenbacher 2006)', () => {
      const digest = node.createHash('sha256').update(message).digest();
      const prefix = Buffer.from('3031300d060960864801650304020105000420', 'hex');
      const short = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(8, 255), Buffer.from([0]), prefix, digest]);
      const encoded = Buffer.concat([short, Buffer.alloc(256 - short.length)]);
      const signature = node.privateDecrypt({ key: rsa.privateKey, padding: node.constants.RSA_NO_PADDING }, encoded);
      assert.equal(crypto.verifyRsaPkcs1(modulus, 65537, 'sha256', message, new Uint8Array(signature)), false);
    });

    test('unusable RSA keys are refused: short, even, exponent even or below 65537', () => {
      const signature = new Uint8Array(node.sign('sha256', message, rsa.privateKey));
      const short = node.generateKeyPairSync('rsa', { modulusLength: 1024 });
      const shortModulus = decoded(short.publicKey.export({ format: 'jwk' }).n);
      assert.equal(
        crypto.verifyRsaPkcs1(shortModulus, 65537, 'sha256', message, new Uint8Array(node.sign('sha256', message, short.privateKey))),
        false,
      );
      assert.equal(crypto.verifyRsaPkcs1(flipped(modulus, 255), 65537, 'sha256', message, signature), false);
      for (const exponent of [0, 1, 3, 65536, -1, 1.5, NaN])
        assert.equal(crypto.verifyRsaPkcs1(modulus, exponent, 'sha256', message, signature), false);
      assert.equal(crypto.verifyRsaPkcs1(new Uint8Array(), 65537, 'sha256', message, new Uint8Array()), false);
    });

    test('the raw RSA operation inverts the private one, and takes only numbers below the modulus', () => {
      const input = new Uint8Array(256).fill(9);
      const proof = node.privateDecrypt({ key: rsa.privateKey, padding: node.constants.RSA_NO_PADDING }, input);
      assert.equal(crypto.rsaPublicOperation(modulus, 65537, new Uint8Array(proof))?.toHex(), input.toHex());
      assert.equal(crypto.rsaPublicOperation(modulus, 65537, new Uint8Array(256))?.toHex(), '00'.repeat(256));
      assert.equal(crypto.rsaPublicOperation(modulus, 65537, modulus), undefined);
      assert.equal(crypto.rsaPublicOperation(modulus, 65537, new Uint8Array(256).fill(255)), undefined);
      assert.equal(crypto.rsaPublicOperation(modulus, 65537, new Uint8Array(255)), undefined);
    });
  });
}

test('RSA keys have 2,048 to 4,096 bits, the highest one set, and an odd exponent from 65537 to 2^32 (FIPS 186-5)', () => {
  const key = (bytes: number) => new Uint8Array(bytes).fill(0xff);
  for (const exponent of [65_537, 65_539, 0xffffffff]) assert.equal(isUsableRsaKey(key(256), exponent), true);
  for (const exponent of [3, 65_535, 65_536, 65_538, 65_537.5, 2 ** 32 + 1, -65_537, NaN, Infinity])
    assert.equal(isUsableRsaKey(key(256), exponent), false);
  for (const modulus of [key(256), key(512), key(256).with(0, 0x80)]) assert.equal(isUsableRsaKey(modulus, 65_537), true);
  for (const modulus of [key(255), key(513), key(256).with(0, 0x7f), key(256).with(255, 0xfe), new Uint8Array()])
    assert.equal(isUsableRsaKey(modulus, 65_537), false);
});

test('both implementations give one verdict on any bytes', () => {
  const { point, signature } = ecdsa('P-256', 'sha256');
  const edSignature = ed25519.sign(message, edPrivate);
  const rsaSignature = new Uint8Array(node.sign('sha256', message, rsa.privateKey));
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.nat(2), (at, mask, which) => {
      const verdicts = [nobleCrypto, nodeCrypto].map((crypto) => [
        crypto.verifyEcdsa(
          'P-256',
          which === 0 ? xored(point, at, mask) : point,
          'sha256',
          message,
          which === 1 ? xored(signature, at, mask) : signature,
        ),
        crypto.verifyEd25519(
          which === 0 ? xored(edPublic, at, mask) : edPublic,
          message,
          which === 1 ? xored(edSignature, at, mask) : edSignature,
        ),
        crypto.verifyRsaPkcs1(
          which === 0 ? xored(modulus, at, mask) : modulus,
          65537,
          'sha256',
          message,
          which === 1 ? xored(rsaSignature, at, mask) : rsaSignature,
        ),
      ]);
      assert.deepEqual(verdicts[0], verdicts[1]);
    }),
    { numRuns: 150 },
  );
});

function assertEcdsa(crypto: Crypto, curve: Curve, hash: HashAlgorithm): void {
  const { point, signature } = ecdsa(curve, hash);
  const holds = (p: Uint8Array, m: Uint8Array, s: Uint8Array) => crypto.verifyEcdsa(curve, p, hash, m, s);
  assert.equal(holds(point, message, signature), true);
  assert.equal(holds(point, message, signature), true);
  assert.equal(holds(point, message.subarray(1), signature), false);
  assert.equal(holds(ecdsa(curve, hash).point, message, signature), false);
  assert.equal(holds(point, message, flipped(signature, 0)), false);
  assert.equal(holds(point, message, flipped(signature, signature.length - 1)), false);
}

function ecdsa(curve: Curve, hash: HashAlgorithm) {
  const { publicKey, privateKey } = node.generateKeyPairSync('ec', { namedCurve: curve });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const signature = new Uint8Array(node.sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  return { point: Uint8Array.of(4, ...decoded(x), ...decoded(y)), signature };
}

/** A key with a component of order 8, and a signature made with the other component alone. */
function mixedOrderSignature() {
  const { Point } = ed25519;
  const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  const secret = 123_456_789n;
  const publicKey = Point.BASE.multiply(secret).add(torsion).toBytes();
  for (let nonce = 1n; ; nonce++) {
    const r = Point.BASE.multiply(nonce).toBytes();
    const k = littleEndian(nobleCrypto.sha512(Uint8Array.of(...r, ...publicKey, ...message))) % Point.Fn.ORDER;
    if (k % 8n === 0n) continue;
    const s = (nonce + k * secret) % Point.Fn.ORDER;
    return { publicKey, signature: Uint8Array.of(...r, ...Uint8Array.fromHex(s.toString(16).padStart(64, '0')).toReversed()) };
  }
}

function smallOrderKeys(): Uint8Array[] {
  const generator = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  return Array.from({ length: 8 }, (_, times) => generator.multiplyUnsafe(BigInt(times)).toBytes());
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toReversed().toHex()}`);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return xored(bytes, at, 1);
}

function xored(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const index = at % bytes.length;
  return bytes.with(index, (bytes[index] ?? 0) ^ mask);
}

function decoded(base64url: string | undefined): Uint8Array {
  return Uint8Array.fromBase64(base64url ?? '', { alphabet: 'base64url' });
}

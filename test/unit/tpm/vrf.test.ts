/** RSA-FDH-VRF-SHA256. RFC 9381 section 4. */
import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeVrfKeyRoots, judgeVrfProof, vrfEncodedMessage, vrfKeyRootMessages } from '#protocol/tpm/vrf.ts';
import { crypto, flipped, hex, reasonOf, vectors } from './captured.ts';

type Vector = { source: 'software' | 'tpm'; modulus: string; alpha: string; encodedMessage: string; proof: string; output: string };
const known = vectors('vrf.json') as Vector[];

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const modulus = Uint8Array.fromBase64(publicKey.export({ format: 'jwk' }).n ?? '', { alphabet: 'base64url' });

function prove(alpha: Uint8Array): Uint8Array {
  return root(vrfEncodedMessage(crypto, modulus, alpha));
}

function root(message: Uint8Array): Uint8Array {
  return new Uint8Array(privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, message));
}

describe('RFC 9381 section 4', () => {
  for (const [index, vector] of known.entries()) {
    test(`vector ${index} (${vector.source}): encoded message, proof and output agree with a second implementation`, () => {
      assert.equal(vrfEncodedMessage(crypto, hex(vector.modulus), hex(vector.alpha)).toHex(), vector.encodedMessage);
      for (const implementation of [crypto, nobleCrypto]) {
        assert.deepEqual(judgeVrfProof(implementation, hex(vector.modulus), hex(vector.alpha), hex(vector.proof)), {
          status: 'accepted',
          output: hex(vector.output),
        });
      }
    });
  }

  test('a proof holds for its input and key only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), (alpha, other) => {
        const proof = prove(alpha);
        assert.equal(judgeVrfProof(crypto, modulus, alpha, proof).status, 'accepted');
        assert.equal(reasonOf(judgeVrfProof(crypto, modulus, other, proof)), alpha.toHex() === other.toHex() ? 'accepted' : 'proof-wrong');
        assert.notEqual(judgeVrfProof(crypto, hex(known[0]!.modulus), alpha, proof).status, 'accepted');
      }),
      { numRuns: 40 },
    );
  });

  test('a proof is unique: no other bytes pass, not even the same number plus the modulus', () => {
    const proof = prove(Uint8Array.of(1));
    const judged = (bytes: Uint8Array) => reasonOf(judgeVrfProof(crypto, modulus, Uint8Array.of(1), bytes));
    for (let at = 0; at < proof.length; at += 5) assert.notEqual(judged(flipped(proof, at)), 'accepted');
    const shifted = BigInt(`0x${proof.toHex()}`) + BigInt(`0x${modulus.toHex()}`);
    const shiftedHex = shifted.toString(16);
    assert.equal(judged(hex(shiftedHex.padStart(shiftedHex.length > 512 ? 514 : 512, '0'))), 'proof-malformed');
    const negated = BigInt(`0x${modulus.toHex()}`) - BigInt(`0x${proof.toHex()}`);
    assert.equal(judged(hex(negated.toString(16).padStart(512, '0'))), 'proof-wrong');
  });

  test('a proof that is short, long, or not below the modulus is malformed', () => {
    const proof = prove(Uint8Array.of(2));
    for (const bad of [new Uint8Array(), proof.subarray(1), Uint8Array.of(0, ...proof), modulus, new Uint8Array(256).fill(255)]) {
      assert.equal(reasonOf(judgeVrfProof(crypto, modulus, Uint8Array.of(2), bad)), 'proof-malformed');
    }
  });

  test('a key that is even, short, long or without its highest bit is unusable', () => {
    for (const bad of [flipped(modulus, 255), modulus.subarray(1), Uint8Array.of(...modulus, 1), modulus.with(0, 0x7f), new Uint8Array()]) {
      assert.equal(reasonOf(judgeVrfProof(crypto, bad, new Uint8Array(), new Uint8Array(256))), 'unusable-key');
    }
  });
});

describe('roots of a new VRF key', () => {
  const roots = vrfKeyRootMessages(crypto, modulus).map(root);

  test('all roots show that the key is well-formed', () => {
    assert.equal(judgeVrfKeyRoots(crypto, modulus, roots), 'well-formed');
    assert.equal(judgeVrfKeyRoots(nobleCrypto, modulus, roots), 'well-formed');
  });

  test('a missing, repeated, swapped or changed root shows nothing', () => {
    const [first, second] = [roots[0]!, roots[1]!];
    for (const bad of [[], roots.slice(1), [...roots, first], roots.with(0, second).with(1, first), roots.with(3, flipped(roots[3]!, 7))]) {
      assert.equal(judgeVrfKeyRoots(crypto, modulus, bad), 'unproven');
    }
  });
});

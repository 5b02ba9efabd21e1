/** SPAKE2+ against the vectors of RFC 9383 Appendix C, and by its properties. Specification §5.6. */
import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import * as spake from '#protocol/spake2plus.ts';

const vector = JSON.parse(readFileSync(new URL('../../vectors/spake2plus/rfc9383-p256-sha256.json', import.meta.url), 'utf8')) as Record<
  'context' | 'idProver' | 'idVerifier' | 'w0' | 'w1' | 'L' | 'x' | 'y' | 'Z' | 'V' | 'TT',
  string
> &
  Record<'shareP' | 'shareV' | 'K_main' | 'K_confirmP' | 'K_confirmV' | 'confirmP' | 'confirmV' | 'K_shared', string>;
const utf8 = (words: string): Uint8Array => new TextEncoder().encode(words);
const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex);
const exchange = { context: utf8(vector.context), idProver: utf8(vector.idProver), idVerifier: utf8(vector.idVerifier) };
const secret = { w0: bytes(vector.w0), w1: bytes(vector.w1) };
const [x, y] = [bytes(vector.x), bytes(vector.y)];

test('every field of RFC 9383 Appendix C comes out (§5.6)', () => {
  const record = spake.verifierRecordOf(secret);
  assert.equal(record.l.toHex(), vector.L);
  const [shareP, shareV] = [spake.proverShare(secret, x), spake.verifierShare(record, y)];
  assert.deepEqual([shareP.toHex(), shareV.toHex()], [vector.shareP, vector.shareV]);
  const points = [p256.Point.fromHex(vector.Z), p256.Point.fromHex(vector.V)] as const;
  const between = spake.schedule(exchange, { shareP, shareV }, ...points, secret.w0);
  assert.equal(between.transcript.toHex(), vector.TT);
  assert.equal(between.main.toHex(), vector.K_main);
  assert.deepEqual([between.confirmPKey.toHex(), between.confirmVKey.toHex()], [vector.K_confirmP, vector.K_confirmV]);
  for (const keys of [spake.finishProver(exchange, secret, x, shareV), spake.finishVerifier(exchange, record, y, shareP)]) {
    assert.ok(keys);
    assert.deepEqual(
      [keys.confirmP.toHex(), keys.confirmV.toHex(), keys.shared.toHex()],
      [vector.confirmP, vector.confirmV, vector.K_shared],
    );
  }
});

const scalar = fc.uint8Array({ minLength: 48, maxLength: 48 }).map(spake.scalarOf);
const secrets = fc.uint8Array({ minLength: 80, maxLength: 80 }).map(spake.proverSecretOf);
const exchanges = fc.record({ context: fc.uint8Array(), idProver: fc.uint8Array(), idVerifier: fc.uint8Array() });

test('both ends of one code and one exchange get the same keys; of another code or exchange all differ', () => {
  fc.assert(
    fc.property(exchanges, exchanges, secrets, secrets, scalar, scalar, (common, other, right, wrong, px, vy) => {
      const record = spake.verifierRecordOf(right);
      const shareV = spake.verifierShare(record, vy);
      const at = (prover: spake.ProverSecret) => spake.finishVerifier(common, record, vy, spake.proverShare(prover, px));
      assert.deepEqual(spake.finishProver(common, right, px, shareV), at(right));
      const strange = spake.finishProver(common, wrong, px, shareV);
      const elsewhere = spake.finishProver({ ...other, context: Uint8Array.of(...common.context, 1) }, right, px, shareV);
      for (const key of ['confirmP', 'confirmV', 'shared'] as const) {
        assert.notDeepEqual(strange?.[key], at(wrong)?.[key]);
        assert.notDeepEqual(elsewhere?.[key], at(right)?.[key]);
      }
    }),
    { numRuns: 8 },
  );
});

test('what is no point of the curve, compressed, the identity, or leads to it is refused', () => {
  const record = spake.verifierRecordOf(secret);
  const proper = spake.proverShare(secret, x);
  const off = Uint8Array.from(proper);
  off[64] = (off[64] ?? 0) ^ 1;
  const beyondField = Uint8Array.from(proper).fill(0xff, 1);
  const compressed = p256.Point.fromBytes(proper).toBytes(true);
  const identity = [Uint8Array.of(0), new Uint8Array(65), Uint8Array.from({ length: 65 }, (_, at) => (at === 0 ? 4 : 0))];
  const blind = (of: string): Uint8Array =>
    p256.Point.fromHex(of)
      .multiply(BigInt(`0x${vector.w0}`))
      .toBytes(false);
  const [m, n] = [vector.TT.slice(200, 330), vector.TT.slice(346, 476)];
  for (const bad of [off, beyondField, compressed, ...identity, proper.subarray(1), blind(m)])
    assert.equal(spake.finishVerifier(exchange, record, y, bad), undefined, bad.toHex());
  assert.equal(spake.finishProver(exchange, secret, x, blind(n)), undefined);
  assert.ok(spake.isShare(proper) && !spake.isShare(off));
});

test('a code is stretched as RFC 9383 §3.2 frames it, alike by both implementations of scrypt', () => {
  const input = spake.stretchInput(utf8('0123456'), utf8('box/b'), Uint8Array.of(1, 2));
  assert.equal(input.toHex(), `0700000000000000${utf8('0123456').toHex()}0500000000000000${utf8('box/b').toHex()}02000000000000000102`);
  const salt = utf8('salt');
  const { N, r, p, dkLen } = spake.STRETCH;
  const native = new Uint8Array(scryptSync(input, salt, dkLen, { N, r, p, maxmem: 2 ** 26 }));
  assert.deepEqual(spake.stretch(input, salt), native);
});

/** A receipt and the proof that it is final, both of a real grid: what the proof has to be of. Specification §9.4, §13.6. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeStrict } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ReceiptMessage, type Receipt } from '#protocol/receipt.ts';
import { judgeReceiptFinality } from '#protocol/receipt-finality.ts';
import { peekSigned } from '#protocol/signed.ts';
import { crypto, gridNetworkFile, gridReceipt, network, networkFrom } from './workshop.ts';

const grid = networkFrom(gridNetworkFile);
const news = decodeStrict(
  FinalityNews,
  readFileSync(new URL('../../vectors/receipt/finality.cbor', import.meta.url)),
  LIMITS.packetBytesMax,
);
assert.ok(news.status === 'decoded' && news.value.finality === 'final');
const { proof } = news.value;
const peeked = peekSigned(ReceiptMessage, gridReceipt);
assert.ok(peeked.status === 'decoded');
const receipt = peeked.value;

test('the proof of a real receipt names its block, its checkpoint and who voted (§13.6)', () => {
  const verdict = judgeReceiptFinality(gridReceipt, receipt, proof, { network: grid, crypto });
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  assert.equal(verdict.voters, 4);
  assert.ok(verdict.votes.length >= 3);
  assert.ok(verdict.checkpoint.height >= verdict.height);
});

test('a proof for a receipt of which one byte is another is refused (§9.4)', () => {
  const other = gridReceipt.with(gridReceipt.length - 1, (gridReceipt.at(-1) ?? 0) ^ 1);
  assert.equal(reasonOf(other, receipt), 'other-transaction');
});

for (const [what, changes] of [
  ['another capsule', { capsule: 'f'.repeat(32) }],
  ['another attempt', { attempt: 2 }],
  ['another device', { node: new Uint8Array(32) }],
  ['another end', { state: 'failed' }],
  ['another reason', { reason: 'memory' }],
] as const satisfies readonly (readonly [string, Partial<Receipt>])[]) {
  test(`a proof for a receipt of ${what} is refused (§9.4)`, () => {
    assert.equal(reasonOf(gridReceipt, { ...receipt, ...changes }), 'other-transaction');
  });
}

test('a proof of another network is refused (§9.4)', () => {
  assert.equal(reasonOf(gridReceipt, receipt, network), 'other-network');
});

test('a changed byte anywhere in the proof is refused (§13.6)', () => {
  for (let at = 0; at < proof.length; at += 37) {
    const changed = proof.with(at, (proof[at] ?? 0) ^ 1);
    assert.notEqual(judgeReceiptFinality(gridReceipt, receipt, changed, { network: grid, crypto }).status, 'accepted', `byte ${at}`);
  }
});

function reasonOf(encoded: Uint8Array, claimed: Receipt, against = grid): string {
  const verdict = judgeReceiptFinality(encoded, claimed, proof, { network: against, crypto });
  return verdict.status === 'refused' ? verdict.reason : verdict.status;
}

/** Vouchers. threats.md, "Consensus": an operational key that lives elsewhere; "TPM evidence": quote over other PCRs, zero PCRs. §11.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { decodeVoucher, encodeVoucher, judgeVoucher, voucherQualifier, type Voucher } from '#protocol/chain/voucher.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { expectedRegisters, operationalKeyExtension, replayRegister, zeroRegister } from '#protocol/measured-boot.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { measuredEvents, softwareChip, type VoucherChanges } from './software-chip.ts';

const crypto = createNodeCrypto();
const network = new Uint8Array(32).fill(1);
const [alpha, bravo] = [softwareChip('alpha'), softwareChip('bravo')];

function outcome(voucher: Voucher, chip = alpha, of = network): string {
  const verdict = judgeVoucher(crypto, chip.key, of, voucher);
  return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
}

const made = (changes: VoucherChanges = {}): Voucher => alpha.makeVoucher(network, changes);

test('a voucher shows its key and the counts of its boot, and travels in one form (§11.3)', () => {
  const voucher = made({ resetCount: 9 });
  const expected = { status: 'accepted', operationalKey: alpha.operationalKey, resetCount: 9, restartCount: 1 };
  assert.deepEqual(judgeVoucher(crypto, alpha.key, network, voucher), expected);
  assert.deepEqual(decodeVoucher(encodeVoucher(voucher)), { status: 'decoded', value: voucher });
  assert.ok(encodeVoucher(voucher).length < LIMITS.voucherBytesMax / 8);
});

test('software that no reference names is no matter of a voucher: all members must come to the same verdict (§11.3)', () => {
  const eventLog = measuredEvents.map((event) => ({ ...event, digest: blobDigest(event.digest) }));
  assert.equal(outcome(made({ eventLog })), 'accepted');
});

describe('what a voucher is about', () => {
  test('a voucher for another network, node or key is refused (§11.3)', () => {
    assert.equal(outcome(made(), alpha, new Uint8Array(32)), 'quote-other-qualifying-data');
    assert.equal(outcome({ ...made(), node: bravo.node }), 'quote-other-qualifying-data');
    assert.equal(outcome({ ...made(), operationalKey: bravo.operationalKey }), 'quote-other-qualifying-data');
  });

  test('evidence of the same chip is no voucher: its qualifying data has another domain (§11.3)', () => {
    assert.equal(outcome(made({ qualifier: blobDigest(Uint8Array.of(1)) })), 'quote-other-qualifying-data');
  });

  test('a voucher by another chip is refused (§11.3)', () => {
    assert.equal(outcome(made(), bravo), 'quote-signature-wrong');
    assert.equal(outcome({ ...bravo.makeVoucher(network), node: alpha.node }), 'quote-signature-wrong');
  });

  test('a certified time or a quote over other PCRs is no voucher (§11.3)', () => {
    const qualifier = voucherQualifier(network, alpha.node, alpha.operationalKey);
    assert.equal(outcome({ ...made(), quote: alpha.certifyTime(qualifier).attestation }), 'quote-other-kind');
    for (const indices of [[8], [14], [], [8, 9, 14], [16, 23]]) assert.equal(outcome(made({ indices })), 'quote-other-pcr-selection');
  });
});

describe('registers', () => {
  const { pcr8, pcr14 } = expectedRegisters(measuredEvents, alpha.operationalKey);

  test('registers other than those quoted are refused (§11.3)', () => {
    assert.equal(outcome({ ...made(), pcrs: { pcr8, pcr14: pcr8 } }), 'quote-other-pcr-values');
  });

  test('a key that the TPM does not hold is refused: it lives elsewhere (§11.3)', () => {
    assert.equal(outcome(made({ registers: { pcr8: blobDigest(pcr8), pcr14 } })), 'operational-key-differs');
    const registers = expectedRegisters(measuredEvents, bravo.operationalKey);
    assert.equal(outcome(made({ registers })), 'operational-key-differs');
  });

  test('a key without its cap is refused: another could follow it (§11.3)', () => {
    const registers = { pcr8: replayRegister([operationalKeyExtension(alpha.operationalKey)]), pcr14 };
    assert.equal(outcome(made({ registers })), 'operational-key-not-capped');
  });

  test('zero registers are refused (§11.3)', () => {
    assert.equal(outcome(made({ registers: { pcr8: zeroRegister, pcr14 } })), 'quote-pcr-not-extended');
    assert.equal(outcome(made({ registers: { pcr8, pcr14: zeroRegister } })), 'quote-pcr-not-extended');
  });

  test('an event log that does not replay, lacks a kind or has one twice is refused (§11.3)', () => {
    const [firmware, addon, board] = [measuredEvents[0]!, measuredEvents[1]!, measuredEvents[2]!];
    assert.equal(outcome({ ...made(), eventLog: [addon, firmware, board] }), 'event-log-differs');
    assert.equal(outcome(made({ eventLog: [firmware, addon] })), 'measurement-missing');
    assert.equal(outcome(made({ eventLog: [firmware, addon, board, board] })), 'measurement-repeated');
    assert.equal(outcome(made({ eventLog: [board, addon, firmware] })), 'accepted');
  });

  test('an operational key of small order is refused: one signature would fit many messages (§11.3)', () => {
    assert.equal(outcome(made({ operationalKey: new Uint8Array(32) })), 'operational-key-unusable');
  });
});

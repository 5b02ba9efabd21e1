/**
 * Wait certificates by a forger who has the attestation key in software, so that each field can be wrong while all others and
 * the signature are right. threats.md, "Consensus": early, late, reused and foreign certificates, start and end in the other
 * order, waits that overlap because `parent` did not commit to the end signature; "TPM evidence": Clock set forward, high-s signatures used as identifiers. Specification §12.3.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';

import { blockId, type TimeCertificate } from '#protocol/chain/block.ts';
import {
  endQualifier,
  judgeTimeCertificate,
  judgeWait,
  lowS,
  startQualifier,
  type ChipTime,
  type Wait,
} from '#protocol/chain/wait-certificate.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { softwareChip, timeAttestation, type TimeFields } from './software-chip.ts';

const crypto = createNodeCrypto();
const chip = softwareChip('alpha');
const other = softwareChip('bravo');
const digest = (value: number) => new Uint8Array(32).fill(value);
const subject = { network: digest(1), parent: digest(2), node: chip.node, height: 7 };
const headerBytes = new TextEncoder().encode('the header, with the start certificate in it');
const waitMs = 5_000;

const startFields: TimeFields = { timeMs: 10_000n, clock: 1_000_000n };
const endFields: TimeFields = { timeMs: 15_000n, clock: 1_005_000n };

function waitWith(changes: Partial<Wait> = {}): Wait {
  return {
    ...subject,
    headerBytes,
    waitMs,
    start: chip.certifyTime(startQualifier(subject), startFields),
    end: chip.certifyTime(endQualifier(headerBytes), endFields),
    ...changes,
  };
}

/** With these fields in the start and the end. */
function waitBetween(start: TimeFields, end: TimeFields, lastEnd?: ChipTime): Wait {
  return waitWith({
    start: chip.certifyTime(startQualifier(subject), { ...startFields, ...start }),
    end: chip.certifyTime(endQualifier(headerBytes), { ...endFields, ...end }),
    lastEnd,
  });
}

function outcome(wait: Wait): string {
  const verdict = judgeWait(crypto, chip.key, wait);
  return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
}

test('a wait that ended when it was due is accepted, with its end and what elapsed (§12.3)', () => {
  const expected = { status: 'accepted', end: { resetCount: 3, restartCount: 0, timeMs: 15_000 }, elapsedMs: 5_000 };
  assert.deepEqual(judgeWait(crypto, chip.key, waitWith()), expected);
  assert.deepEqual(judgeWait(nobleCrypto, chip.key, waitWith()), expected);
});

describe('time', () => {
  test('an end before the wait is over is refused, by a millisecond too (§12.3)', () => {
    assert.equal(outcome(waitBetween({}, { timeMs: 14_999n })), 'too-early');
    assert.equal(outcome(waitBetween({}, { timeMs: 10_000n })), 'too-early');
    assert.equal(outcome(waitWith({ waitMs: 5_001 })), 'too-early');
  });

  test('an end long after the wait is accepted: late blocks only lose (§12.3)', () => {
    assert.equal(outcome(waitBetween({}, { timeMs: 1_000_000n })), 'accepted');
  });

  test('an end certified before the start is refused, at a wait of nothing too (§12.3)', () => {
    const backwards = waitBetween({ timeMs: 15_000n }, { timeMs: 14_000n });
    assert.equal(outcome(backwards), 'ends-before-start');
    assert.equal(outcome({ ...backwards, waitMs: 0 }), 'ends-before-start');
  });

  test('Time counts, not Clock: a clock set forward gains nothing (§12.3)', () => {
    assert.equal(outcome(waitBetween({}, { timeMs: 11_000n, clock: 90_000_000n })), 'too-early');
    assert.equal(outcome(waitBetween({}, { clock: 1_000_000n, safe: false })), 'accepted');
  });

  test('a Time that does not fit a safe integer is refused (§12.3)', () => {
    assert.equal(outcome(waitBetween({}, { timeMs: 2n ** 53n - 1n })), 'accepted');
    assert.equal(outcome(waitBetween({}, { timeMs: 2n ** 53n })), 'end-time-out-of-range');
    assert.equal(outcome(waitBetween({ timeMs: 2n ** 64n - 1n }, {})), 'start-time-out-of-range');
  });
});

describe('boot', () => {
  test('a wait over a reset, a restart or a change of firmware is refused, in either direction (§12.3)', () => {
    for (const resetCount of [2, 4]) assert.equal(outcome(waitBetween({}, { resetCount })), 'reset-count-differs');
    assert.equal(outcome(waitBetween({}, { restartCount: 1 })), 'restart-count-differs');
    assert.equal(outcome(waitBetween({ restartCount: 1 }, {})), 'restart-count-differs');
    assert.equal(outcome(waitBetween({}, { firmwareVersion: 1n })), 'firmware-differs');
  });

  test('outer fields other than the inner ones are refused: a key outside the endorsement hierarchy (§12.3)', () => {
    const clockInfo = { clock: 1_000_000n, resetCount: 3, restartCount: 0, safe: true };
    const outers: TimeFields['outer'][] = [
      { clockInfo: { ...clockInfo, resetCount: 4 } },
      { clockInfo: { ...clockInfo, restartCount: 4 } },
      { firmwareVersion: 5n },
    ];
    for (const outer of outers) {
      assert.equal(outcome(waitBetween(outer ? { outer } : {}, {})), 'start-obfuscated-clock');
      assert.equal(outcome(waitBetween({}, outer ? { outer } : {})), 'end-obfuscated-clock');
    }
  });
});

describe('the last block of the same member on the branch', () => {
  const lastEnd: ChipTime = { resetCount: 3, restartCount: 0, timeMs: 10_000 };

  test('a wait may begin when the last one ended, and not a millisecond earlier (§12.3)', () => {
    assert.equal(outcome(waitWith({ lastEnd })), 'accepted');
    assert.equal(outcome(waitWith({ lastEnd: { ...lastEnd, timeMs: 10_001 } })), 'overlaps-last-block');
    assert.equal(outcome(waitWith({ lastEnd: { ...lastEnd, timeMs: 20_000 } })), 'overlaps-last-block');
  });

  test('counts that fell are refused: a TPM that was cleared, or a copy of an earlier state (§12.3)', () => {
    assert.equal(outcome(waitWith({ lastEnd: { resetCount: 4, restartCount: 0, timeMs: 0 } })), 'reset-count-fell');
    assert.equal(outcome(waitWith({ lastEnd: { resetCount: 3, restartCount: 1, timeMs: 0 } })), 'restart-count-fell');
  });

  test('after a restart or a reset Time begins anew, and so does the restart count after a reset (§12.3)', () => {
    const late = { timeMs: 9_000_000 };
    assert.equal(outcome(waitBetween({ restartCount: 2 }, { restartCount: 2 }, { resetCount: 3, restartCount: 1, ...late })), 'accepted');
    assert.equal(outcome(waitWith({ lastEnd: { resetCount: 2, restartCount: 6, ...late } })), 'accepted');
  });
});

describe('what the certificates are about', () => {
  const subjects = {
    network: { ...subject, network: digest(9) },
    parent: { ...subject, parent: digest(9) },
    node: { ...subject, node: other.node },
    height: { ...subject, height: 8 },
  };
  for (const [field, foreign] of Object.entries(subjects)) {
    test(`a start certificate for another ${field} is refused: reused or foreign (§12.3)`, () => {
      assert.equal(outcome(waitWith({ start: chip.certifyTime(startQualifier(foreign), startFields) })), 'start-other-qualifying-data');
    });
  }

  test('an end certificate for another header is refused: the start certificate is in it (§12.3)', () => {
    const end = chip.certifyTime(endQualifier(Uint8Array.of(...headerBytes, 0)), endFields);
    assert.equal(outcome(waitWith({ end })), 'end-other-qualifying-data');
    assert.equal(outcome(waitWith({ headerBytes: headerBytes.slice(1) })), 'end-other-qualifying-data');
  });

  test('start and end made in the other order, or one for both, are refused (§12.3)', () => {
    const { start, end } = waitWith();
    assert.equal(outcome(waitWith({ start: end, end: start })), 'start-other-qualifying-data');
    assert.equal(outcome(waitWith({ end: start, waitMs: 0 })), 'end-other-qualifying-data');
  });

  test('a certificate by another chip is refused, and one that only names this signer (§12.3)', () => {
    assert.equal(outcome(waitWith({ start: other.certifyTime(startQualifier(subject), startFields) })), 'start-signature-wrong');
    const named = { ...endFields, qualifiedSigner: chip.key.qualifiedName };
    assert.equal(outcome(waitWith({ end: other.certifyTime(endQualifier(headerBytes), named) })), 'end-signature-wrong');
  });

  test('a certificate by the same key under another parent is refused by its qualified name (§12.3)', () => {
    const fields = { ...endFields, qualifiedSigner: other.key.qualifiedName };
    assert.equal(outcome(waitWith({ end: chip.certifyTime(endQualifier(headerBytes), fields) })), 'end-other-signer');
  });
});

test('no wait begins on a block before that block’s own wait was certified: its id takes the end and its signature (§11.1)', () => {
  const { end } = waitWith();
  const again = chip.certifyTime(endQualifier(headerBytes), { ...endFields, timeMs: 15_001n });
  const ids = [
    blockId(headerBytes, end),
    blockId(headerBytes, again),
    blockId(headerBytes, { ...end, signature: again.signature }),
    blockId(Uint8Array.of(...headerBytes, 0), end),
  ];
  assert.equal(new Set(ids.map((id) => id.toHex())).size, ids.length);
  const guessed = chip.certifyTime(startQualifier({ ...subject, parent: ids[0]! }), startFields);
  assert.equal(outcome(waitWith({ parent: ids[1]!, start: guessed })), 'start-other-qualifying-data');
});

describe('bytes and signature', () => {
  const qualifier = endQualifier(headerBytes);
  const certificate = chip.certifyTime(qualifier, endFields);
  const judged = (changes: Partial<TimeCertificate>): string => {
    const verdict = judgeTimeCertificate(crypto, chip.key, { ...certificate, ...changes }, qualifier);
    return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
  };
  const resigned = (attestation: Uint8Array): string => judged({ attestation, signature: chip.signAttestation(attestation) });

  test('the other half of s is refused, so that a block has one id (§11.1)', () => {
    const s = BigInt(`0x${certificate.signature.subarray(32).toHex()}`);
    const high = Uint8Array.from(certificate.signature);
    high.set(Uint8Array.fromHex((p256.Point.Fn.ORDER - s).toString(16).padStart(64, '0')), 32);
    assert.equal(judged({ signature: high }), 'signature-not-low-s');
    assert.deepEqual(lowS(high), certificate.signature);
    assert.deepEqual(lowS(certificate.signature), certificate.signature);
  });

  test('s in the middle of the order is low, the next one is not (§11.1)', () => {
    const middle = p256.Point.Fn.ORDER >> 1n;
    const signatureOf = (s: bigint) => Uint8Array.fromHex('01'.repeat(32) + s.toString(16).padStart(64, '0'));
    assert.deepEqual(lowS(signatureOf(middle)), signatureOf(middle));
    assert.deepEqual(lowS(signatureOf(middle + 1n)), signatureOf(middle));
  });

  test('attestations that TPM2_GetTime did not make are refused before their signature is looked at (§3.6)', () => {
    assert.equal(resigned(Uint8Array.of(0xfe, ...certificate.attestation.subarray(1))), 'not-tpm-generated');
    const { quote } = chip.makeVoucher(subject.network, { qualifier });
    assert.equal(resigned(quote), 'other-kind');
    assert.equal(judged({ attestation: quote, signature: new Uint8Array(64) }), 'other-kind');
  });

  test('truncated and trailing bytes are refused though they are signed (§3.6)', () => {
    assert.equal(resigned(certificate.attestation.slice(0, -1)), 'malformed');
    assert.equal(resigned(Uint8Array.of(...certificate.attestation, 0)), 'malformed');
  });

  test('a changed bit anywhere in attestation or signature is refused (§12.3)', () => {
    const { attestation, signature } = certificate;
    for (let at = 0; at < attestation.length; at += 1) {
      assert.notEqual(judged({ attestation: attestation.with(at, attestation[at]! ^ 1) }), 'accepted', `byte ${at}`);
    }
    for (let at = 0; at < signature.length; at += 1) {
      assert.equal(judged({ signature: signature.with(at, signature[at]! ^ 1) }), 'signature-wrong', `byte ${at}`);
    }
    assert.equal(judged({ signature: new Uint8Array(64) }), 'signature-wrong');
  });

  test('an attestation made anew with the same fields is the same bytes: a chip’s word has one form (§12.3)', () => {
    assert.deepEqual(timeAttestation(chip.key.qualifiedName, qualifier, endFields), certificate.attestation);
  });
});

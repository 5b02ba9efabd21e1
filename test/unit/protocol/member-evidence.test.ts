/** What one judge finds evidence on the chain worth (§18.4). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventExtension, expectedRegisters, operationalKeyExtension, replayRegister, zeroRegister } from '#protocol/measured-boot.ts';
import {
  encodeMemberEvidence,
  judgeMemberEvidence,
  memberEvidenceQualifier,
  type MemberEvidence,
  type MemberEvidenceContext,
} from '#protocol/member-evidence.ts';
import type { Reference } from '#protocol/network.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember, stubEventLog, type StubMember, type StubReading } from '../../simulation/stub-tpm.ts';

const network = new Uint8Array(32).fill(1);
const block = (number: number) => new Uint8Array(32).fill(number);
const [alpha, bravo] = [createStubMember('alpha'), createStubMember('bravo')];
const key = alpha.operationalKey('3.1').publicKey;
const later = alpha.operationalKey('4.0').publicKey;
const reading: StubReading = { timeMs: 1, resetCount: 3, restartCount: 1 };
const references: Reference[] = stubEventLog.map(({ kind, digest }) => ({ kind, digest, label: kind }));
const context: MemberEvidenceContext = {
  ...{ crypto: stubCrypto, network, member: alpha.member, references, checkpointAtMoment: 5, atMs: 0 },
  checkpointBlock: (number) => (number <= 7 ? block(number) : undefined),
};

interface Wish {
  readonly by?: StubMember;
  readonly about?: Partial<Pick<MemberEvidence, 'checkpoint' | 'operationalKey'>> & {
    readonly network?: Uint8Array;
    readonly node?: Uint8Array;
  };
  readonly boot?: StubReading;
  readonly pcrs?: MemberEvidence['pcrs'];
  /** After the quote was made. */
  readonly change?: Partial<MemberEvidence>;
}

function evidenceOf({ by = alpha, about = {}, boot = reading, pcrs, change }: Wish = {}): MemberEvidence {
  const { network: of = network, node = alpha.node, ...rest } = about;
  const bound = { checkpoint: { number: 5, block: block(5) }, operationalKey: key, ...rest };
  const registers = pcrs ?? expectedRegisters(stubEventLog, bound.operationalKey);
  const quote = by.quote(memberEvidenceQualifier(of, node, bound), boot, registers);
  return { ...bound, ...quote, pcrs: registers, eventLog: stubEventLog, ...change };
}

function said(wish: Wish = {}, changed: Partial<MemberEvidenceContext> = {}): string {
  const verdict = judgeMemberEvidence(encodeMemberEvidence(evidenceOf(wish)), { ...context, ...changed });
  return 'reason' in verdict ? `${verdict.word}: ${verdict.reason}` : verdict.word;
}

test('evidence of a listed release, about a checkpoint at its moment or later, is trusted (§18.4)', () => {
  assert.equal(said(), 'trusted');
  assert.equal(said({ about: { checkpoint: { number: 7, block: block(7) } } }), 'trusted');
});

describe('no word is said of what anybody could have made', () => {
  test('about a checkpoint before the moment: an earlier good state is no evidence of now (§18.4)', () => {
    assert.equal(said({ about: { checkpoint: { number: 4, block: block(4) } } }), 'none: checkpoint-too-old');
  });
  test('about a checkpoint that the judge does not hold, or of another branch (§18.4)', () => {
    assert.equal(said({ about: { checkpoint: { number: 8, block: block(8) } } }), 'none: checkpoint-unknown');
    assert.equal(said({ about: { checkpoint: { number: 6, block: block(9) } } }), 'none: checkpoint-unknown');
  });
  test('for another network, node, key or checkpoint: replays say nothing (§18.4)', () => {
    const replay = 'none: quote-other-qualifying-data';
    assert.equal(said({ about: { network: block(9) } }), replay);
    assert.equal(said({ about: { node: bravo.node } }), replay);
    assert.equal(said({ change: { operationalKey: later } }), replay);
    assert.equal(said({ change: { checkpoint: { number: 6, block: block(6) } } }), replay);
  });
  test('by another chip (§18.4)', () => {
    assert.equal(said({ by: bravo }), 'none: quote-signature-wrong');
    assert.equal(said({}, { member: bravo.member }), 'none: quote-signature-wrong');
  });
  test('with a signature changed, or none (§18.4)', () => {
    const { quote, quoteSignature } = evidenceOf();
    const swapped = Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: new Uint8Array(32).fill(1), s: new Uint8Array(32).fill(1) });
    assert.equal(said({ change: { quoteSignature: swapped } }), 'none: quote-signature-wrong');
    assert.equal(said({ change: { quoteSignature: Uint8Array.of(1) } }), 'none: quote-signature-malformed');
    assert.equal(said({ change: { quote: quote.subarray(1), quoteSignature } }), 'none: quote-not-tpm-generated');
    assert.equal(said({ change: { quote: quote.subarray(0, -1), quoteSignature } }), 'none: quote-malformed');
  });
  test('TPM2_GetTime passed off as a quote (§18.4)', () => {
    const time = alpha.getTime(memberEvidenceQualifier(network, alpha.node, evidenceOf()), reading);
    assert.equal(said({ change: { quote: time.attestation } }), 'none: quote-other-kind');
  });
  test('of a card whose keys have not the templates, and bytes that are no evidence (§18.4)', () => {
    assert.equal(said({}, { member: { ...alpha.member, attestationKey: Uint8Array.of(1) } }), 'none: keys-unusable');
    assert.equal(judgeMemberEvidence(Uint8Array.of(1), context).word, 'none');
  });
});

describe("the member's own bad word is untrusted", () => {
  const registers = expectedRegisters(stubEventLog, key);

  test('a changed PCR: the log does not replay (§18.4)', () => {
    const extended = replayRegister([...stubEventLog.map(eventExtension), block(3)]);
    assert.equal(said({ pcrs: { ...registers, pcr14: extended } }), 'untrusted: event-log-differs');
  });
  test('software that no release lists (§18.4)', () => {
    assert.equal(said({}, { references: references.slice(1) }), 'untrusted: measurement-unknown');
  });
  test('a measurement lacking or repeated (§18.4)', () => {
    const shown = (eventLog: MemberEvidence['eventLog']) => said({ pcrs: expectedRegisters(eventLog, key), change: { eventLog } });
    assert.equal(shown(stubEventLog.slice(1)), 'untrusted: measurement-missing');
    assert.equal(shown([...stubEventLog, stubEventLog[0]!]), 'untrusted: measurement-repeated');
  });
  test('registers other than those quoted, or never extended (§18.4)', () => {
    assert.equal(said({ change: { pcrs: { ...registers, pcr14: block(1) } } }), 'untrusted: quote-other-pcr-values');
    assert.equal(said({ pcrs: { ...registers, pcr14: zeroRegister } }), 'untrusted: quote-pcr-not-extended');
  });
  test('PCR 8 without the cap, or with another key (§18.4)', () => {
    assert.equal(
      said({ pcrs: { ...registers, pcr8: replayRegister([operationalKeyExtension(key)]) } }),
      'untrusted: operational-key-not-capped',
    );
    assert.equal(said({ pcrs: expectedRegisters(stubEventLog, later) }), 'untrusted: operational-key-differs');
  });
});

describe('what contradicts the last good evidence is disputed: of two places at once nobody can say which is honest', () => {
  const boot = { key, resetCount: 3, restartCount: 1 };
  const after = (now: StubReading, operationalKey = key, last = boot) => said({ boot: now, about: { operationalKey } }, { boot: last });

  test('one boot, or an explained reset or restart, is not: restart is no compromise (§18.4)', () => {
    assert.equal(after(reading), 'trusted');
    assert.equal(after({ ...reading, resetCount: 4, restartCount: 0 }, later), 'trusted');
    assert.equal(after({ ...reading, restartCount: 2 }), 'trusted', 'TPM Resume keeps the key');
    assert.equal(after({ ...reading, restartCount: 2 }, later), 'trusted', 'TPM Restart brings a new one');
    assert.equal(
      after({ ...reading, resetCount: 4, restartCount: 0 }, later, { ...boot, restartCount: 9 }),
      'trusted',
      'a reset begins restarts anew',
    );
  });
  test('counts that fell: a TPM cleared, rewound or copied (§18.4)', () => {
    assert.equal(after({ ...reading, resetCount: 2 }, later), 'disputed: reset-count-went-back');
    assert.equal(after({ ...reading, restartCount: 0 }), 'disputed: restart-count-went-back');
  });
  test('two operational keys of one boot, or one of two (§18.4)', () => {
    assert.equal(after(reading, later), 'disputed: second-operational-key');
    assert.equal(after({ ...reading, resetCount: 4 }), 'disputed: operational-key-outlived-reset');
  });
  test('an unlisted release is said first: what a plant shows is never disputed (§18.7)', () => {
    const planted = { boot: { ...reading, resetCount: 2 }, change: { eventLog: stubEventLog.slice(1) } };
    assert.equal(said(planted, { boot }), 'untrusted: event-log-differs');
  });
});

test('an update to a listed release fails nobody, whatever was measured before (§18.4)', () => {
  const eventLog = stubEventLog.map((event) => (event.kind === 'firmware' ? { ...event, digest: block(9) } : event));
  const updated = {
    boot: { ...reading, resetCount: 4 },
    pcrs: expectedRegisters(eventLog, later),
    about: { operationalKey: later },
    change: { eventLog },
  };
  const release = { kind: 'firmware' as const, digest: block(9), label: 'next' };
  assert.equal(said(updated, { references: [...references, release], boot: { key, resetCount: 3, restartCount: 1 } }), 'trusted');
  assert.equal(said(updated), 'untrusted: measurement-unknown');
});

test('releases overlap: whoever updates while both are good fails at no moment, and an ended one is untrusted (§18.4)', () => {
  const eventLog = stubEventLog.map((event) => (event.kind === 'firmware' ? { ...event, digest: block(9) } : event));
  const updated = { pcrs: expectedRegisters(eventLog, key), change: { eventLog } };
  const [firmware, ...others] = references;
  assert.ok(firmware);
  const windows = [{ ...firmware, validUntil: 200 }, { ...firmware, digest: block(9), label: 'next', validFrom: 100 }, ...others];
  const at = (wish: Wish, atS: number) => said(wish, { references: windows, atMs: atS * 1_000 });
  assert.deepEqual(
    [50, 99, 100, 199, 200].map((atS) => at({}, atS)),
    ['trusted', 'trusted', 'trusted', 'trusted', 'untrusted: release-over'],
  );
  assert.deepEqual(
    [50, 99, 100, 199, 200].map((atS) => at(updated, atS)),
    ['untrusted: release-not-begun', 'untrusted: release-not-begun', 'trusted', 'trusted', 'trusted'],
  );
});

test('evidence with any single byte changed is not trusted (§18.4)', () => {
  const encoded = encodeMemberEvidence(evidenceOf());
  for (let at = 0; at < encoded.length; at += 1) {
    const changed = encoded.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.notEqual(judgeMemberEvidence(changed, context).word, 'trusted', `byte ${at}`);
  }
});

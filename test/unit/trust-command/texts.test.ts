/** What `npm run trust` says of members, and of what changes. Specification §18.8. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { MemberTrust } from '#protocol/chain/trust-state.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { explainTrust } from '#protocol/explained-trust.ts';
import { encodeMemberEvidence, type MemberEvidence } from '#protocol/member-evidence.ts';
import { changesBetween, type Look } from '../../../scripts/trust/changes.ts';
import { memberForPrograms, type NamedTrust } from '../../../scripts/trust/for-programs.ts';
import { memberText } from '../../../scripts/trust/member-text.ts';
import { checkpointWords } from '../../../scripts/trust/words.ts';
import { founders } from '../chain/proof-workshop.ts';
import { measuredEvents } from '../chain/software-chip.ts';
import { evidenceOf, judged, network, others, provenOf, slotWith, stateJudging, subject, trustWith } from '../protocol/judged-member.ts';

const plain = { paint: (_style: string, text: string) => text };
const names = new Map(founders.map(({ node, name }) => [hex(node), name]));
const nameOf = (node: string): string => names.get(node) ?? node;

function named(
  trust: MemberTrust,
  evidence: readonly MemberEvidence[] = [],
): NamedTrust & { readonly explained: NonNullable<NamedTrust['explained']> } {
  const checkpoint = provenOf(stateJudging(trust));
  const [record] = checkpoint.members;
  assert.ok(record);
  const verdict = explainTrust(checkpoint, record, evidence.map(encodeMemberEvidence), { network, crypto: nobleCrypto });
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  return { record, checkpoint, explained: verdict.explained };
}

function textOf(trust: MemberTrust, evidence: readonly MemberEvidence[] = []): string {
  const { record, checkpoint, explained } = named(trust, evidence);
  return memberText({ record, asOf: checkpointWords(checkpoint), explained, network, nameOf }, plain);
}

const good = evidenceOf(subject);
const foreign = evidenceOf(subject, [{ kind: 'firmware', digest: blobDigest(Uint8Array.of(9)) }, ...measuredEvents.slice(1)]);
const twoJudges = others.slice(0, 2);
const byTwo = twoJudges.map(({ name }) => name).join(', ');

describe('`trust show`', () => {
  test('says until when it holds, who judged, and what the evidence shows (§18.8)', () => {
    const text = textOf(trustWith({ slots: [slotWith(good, { verdict: judged('trusted', twoJudges) })] }), [good]);
    assert.match(text, /trust +trusted until checkpoint 147 \(142 more, about 2 min 22 s\)/);
    assert.match(text, /credit +256 of 1000: as a drawn judge it has weight 2/);
    assert.match(text, /certified by 3 of 4 seats/);
    assert.match(text, new RegExp(`judged +trusted by ${byTwo}`));
    assert.match(text, /checked here +trusted: its chip quotes PCRs 8 and 14, which replay to firmware good firmware/);
  });

  test('says why evidence is bad, in words (§18.4)', () => {
    const text = textOf(trustWith({ word: 'untrusted', slots: [slotWith(foreign, { verdict: judged('untrusted', twoJudges) })] }), [
      foreign,
    ]);
    assert.match(text, /trust +untrusted until other evidence is judged good/);
    assert.match(text, /untrusted \(measurement-unknown\): the firmware measured as [0-9a-f]{64} is none/);
  });

  test('says so where the judges and the check here differ (§18.8)', () => {
    const accused = textOf(trustWith({ word: 'untrusted', slots: [slotWith(good, { verdict: judged('untrusted', twoJudges) })] }), [good]);
    assert.match(accused, /The judges said untrusted, which the evidence alone does not show/);
    const trusted = textOf(trustWith({ slots: [slotWith(foreign, { verdict: judged('trusted', twoJudges) })] }), [foreign]);
    assert.match(trusted, /The judges said trusted. Your network file may lack a release that theirs have/);
  });

  test('a slot that nobody has judged, that all seats closed, and whose evidence is not at hand (§18.6)', () => {
    const text = textOf(
      trustWith({
        demotedHeight: 90,
        slots: [slotWith(good, { closed: 'untrusted', verdict: judged('untrusted', twoJudges) }), { ...slotWith(foreign), slot: 3 }],
      }),
    );
    assert.match(text, /slot 3[^]*judged +not yet[^]*slot 2[^]*in the end +untrusted, say all seats/);
    assert.match(text, /no: the evidence is not at hand/);
    assert.match(text, /demoted at height 90: all seats have taken it/);
  });

  test('programs get words of the specification and hexadecimal bytes (§18.8)', () => {
    const trust = trustWith({ slots: [slotWith(foreign, { verdict: judged('untrusted', twoJudges) })] });
    const json = JSON.parse(JSON.stringify(memberForPrograms(named(trust, [foreign])))) as Record<string, unknown>;
    assert.equal(json['node'], hex(subject.node));
    const [slot] = json['slots'] as Record<string, Record<string, unknown>>[];
    assert.deepEqual(
      slot?.['verdict']?.['voters'],
      twoJudges.map(({ node }) => hex(node)),
    );
    assert.equal(slot['found']?.['reason'], 'measurement-unknown');
  });
});

describe('`trust watch`', () => {
  const look = (trust: MemberTrust): Look => new Map([[hex(subject.node), named(trust)]]);
  const told = (before: MemberTrust, after: MemberTrust): string[] =>
    changesBetween(look(before), look(after), 16).map(({ change }) => change);
  const verdict = judged('untrusted', twoJudges);

  test('tells evidence, verdicts, standing and seats as they change, once (§18.8)', () => {
    const shown = trustWith({ slots: [slotWith(foreign)] });
    const accused = trustWith({ word: 'untrusted', credit: 200, slots: [slotWith(foreign, { verdict })] });
    const demoted = trustWith({ ...accused, demotedHeight: 120, slots: [slotWith(foreign, { verdict, closed: 'untrusted' })] });
    assert.deepEqual(told(trustWith(), shown), ['evidence']);
    assert.deepEqual(told(shown, accused), ['verdict', 'standing', 'credit']);
    assert.deepEqual(told(accused, demoted), ['closed', 'seat']);
    assert.deepEqual(told(demoted, demoted), []);
  });

  test('credit that moves by less than it is worth saying is not told (§19)', () => {
    assert.deepEqual(told(trustWith(), trustWith({ credit: 262 })), []);
  });

  test('a newcomer is told (§11.5)', () => {
    const [change] = changesBetween(new Map(), look(trustWith()), 16);
    assert.deepEqual([change?.change, change?.words], ['member', 'is a member']);
  });
});

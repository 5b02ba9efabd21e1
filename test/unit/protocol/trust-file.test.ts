/** A member's trust as a file, checked by the network file alone. Specification §18.8. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { MemberTrust } from '#protocol/chain/trust-state.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { explainTrust } from '#protocol/explained-trust.ts';
import type { MemberEvidence } from '#protocol/member-evidence.ts';
import { encodeTrustFile, judgeTrustFile, type TrustFileVerdict } from '#protocol/trust-file.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { founded } from '../chain/proof-workshop.ts';
import { measuredEvents } from '../chain/software-chip.ts';
import {
  evidenceOf,
  fileOf,
  judged,
  network,
  others,
  proofOf,
  provenOf,
  slotWith,
  stateJudging,
  subject,
  trustWith,
} from './judged-member.ts';

const crypto = createNodeCrypto();
const good = evidenceOf(subject);
const foreign = evidenceOf(subject, [{ kind: 'firmware', digest: blobDigest(Uint8Array.of(9)) }, ...measuredEvents.slice(1)]);

function judgedAs(word: 'trusted' | 'untrusted', evidence: MemberEvidence, changed: Partial<MemberTrust> = {}): MemberTrust {
  return trustWith({ word, slots: [slotWith(evidence, { verdict: judged(word, others.slice(0, 2)) })], ...changed });
}

function verdictOn(encoded: Uint8Array): TrustFileVerdict {
  return judgeTrustFile(encoded, { network, crypto });
}

function accepted(encoded: Uint8Array): Extract<TrustFileVerdict, { status: 'accepted' }> {
  const verdict = verdictOn(encoded);
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  return verdict;
}

test('a file shows standing, credit, judges and what the evidence is worth (§18.8)', () => {
  const { explained, record, checkpoint } = accepted(fileOf(judgedAs('trusted', good), [good]));
  assert.deepEqual([record.member.name, checkpoint.number, checkpoint.timeMs], [subject.name, 5, 112_000]);
  assert.deepEqual([explained.standing, explained.checkpointsLeft, explained.hasSeat, explained.trust.credit], ['trusted', 142, true, 256]);
  const [slot] = explained.slots;
  assert.equal(slot?.found?.word, 'trusted');
  assert.equal(slot.judges?.size, 2, 'the draw is made again from the state');
  assert.ok(!slot.judges.has(hex(subject.node)));
});

test('why evidence was untrusted follows from the evidence itself (§18.4, §18.8)', () => {
  const { explained } = accepted(fileOf(judgedAs('untrusted', foreign), [foreign]));
  const found = explained.slots[0]?.found;
  assert.ok(found?.word === 'untrusted');
  assert.equal(found.reason, 'measurement-unknown');
  assert.equal(explained.standing, 'untrusted');
});

test('a verdict that the evidence contradicts is seen as such (§18.8)', () => {
  const { explained } = accepted(fileOf(judgedAs('untrusted', good), [good]));
  assert.deepEqual([explained.standing, explained.slots[0]?.found?.word], ['untrusted', 'trusted']);
});

describe('how it stands with a member', () => {
  const standing = (trust: MemberTrust): string => accepted(fileOf(trust)).explained.standing;

  test('it is stale when the last certified checkpoint has passed its time, whatever its word (§18.6)', () => {
    assert.equal(standing(trustWith({ attestedUntil: 5 })), 'trusted');
    assert.equal(standing(trustWith({ attestedUntil: 4 })), 'stale');
    assert.equal(standing(trustWith({ attestedUntil: 4, word: 'unreachable' })), 'stale');
  });

  test('silence is no verdict: it is unreachable, and trusted until that ends (§18.2, §18.6)', () => {
    assert.equal(standing(trustWith({ word: 'unreachable' })), 'unreachable');
  });

  test('untrusted and disputed don’t end by themselves (§18.6)', () => {
    assert.equal(standing(trustWith({ word: 'untrusted', attestedUntil: 4 })), 'untrusted');
    assert.equal(standing(trustWith({ word: 'disputed' })), 'disputed');
  });
});

describe('what is refused', () => {
  const reason = (encoded: Uint8Array): string => {
    const verdict = verdictOn(encoded);
    return verdict.status === 'refused' ? verdict.reason : verdict.status;
  };

  test('a byte changed anywhere in the file (§18.8)', () => {
    const encoded = fileOf(judgedAs('untrusted', foreign), [foreign]);
    assert.equal(reason(encoded), 'accepted');
    for (let at = 0; at < encoded.length; at += 1) {
      const verdict = verdictOn(encoded.with(at, encoded[at]! ^ 1));
      assert.equal(verdict.status, 'refused', `byte ${at} of ${encoded.length}`);
    }
  });

  test('evidence of another slot, of another member, or from before (§18.8)', () => {
    assert.equal(reason(fileOf(judgedAs('trusted', good), [foreign])), 'evidence-not-in-state');
    assert.equal(reason(fileOf(judgedAs('trusted', good), [evidenceOf(others[0]!)])), 'evidence-not-in-state');
  });

  test('a proof that does not show the member (§18.8)', () => {
    const proof = proofOf(stateJudging(trustWith()), [others[0]!.node]);
    assert.equal(reason(encodeTrustFile({ version: 1, node: subject.node, proof, evidence: [] })), 'member-not-shown');
  });

  test('a proof of another network (§13.8)', () => {
    const verdict = judgeTrustFile(fileOf(trustWith()), { network: founded, crypto: nobleCrypto });
    assert.ok(verdict.status === 'refused' && verdict.reason === 'other-network');
  });

  test('a network without `trust` says so (§18)', () => {
    const checkpoint = provenOf(stateJudging(trustWith()));
    const verdict = explainTrust(checkpoint, checkpoint.members[0]!, [], { network: founded, crypto });
    assert.ok(verdict.status === 'refused' && verdict.reason === 'trust-off');
    assert.match(verdict.detail, /its genesis has no `trust`/);
  });
});

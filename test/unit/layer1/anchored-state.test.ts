/** Which leaves a state has on layer 1, in which order, and which anchors a checkpoint has (§20.1, §20.2). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeInclusion } from '#protocol/chain/merkle.ts';
import { judgesOf } from '#protocol/chain/judges.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { domainDigest, hex } from '#protocol/digest.ts';
import { anchoredEpochs, anchoredState, leafPath, type AnchoredState } from '#protocol/layer1/anchored-state.ts';
import { creditLeafDigest, judgesDigest, memberLeafDigest, verdictLeafDigest } from '#protocol/layer1/leaf.ts';
import { recordOf, withRecord } from '../../../device/ledger/member-identity.ts';
import {
  attested,
  drawOf,
  entered,
  foundedBy,
  grownTo,
  inNextSlot,
  trusting,
  trustOf,
  verdictOf,
  type Trusting,
} from '../ledger/trust-workshop.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';

const epoch = 3;
const zeros = new Uint8Array(32);

function anchoredAt({ context, state, height }: Trusting): AnchoredState {
  return anchoredState(context.network, epoch, { number: 7, id: new Uint8Array(32).fill(1), height, timeMs: 99, state });
}

function verdictLeafOf(world: Trusting, { node }: StubMember) {
  const { leaves } = anchoredAt(world);
  return leaves.verdicts.find((leaf) => hex(leaf.node) === hex(node))!;
}

describe('the leaves of a state', () => {
  const ten = trusting(10);
  const [subject] = ten.members as [StubMember];

  test('are in one order: seats, then the others, each part by node id; applicants have none (§20.1)', () => {
    const ids = ten.members.map(({ node }) => hex(node)).sort();
    const [gone, expelled, applicant] = [ids[0]!, ids[5]!, ids[9]!];
    let { state } = ten;
    for (const [id, standing] of [
      [gone, 'left'],
      [expelled, 'expelled'],
      [applicant, 'applicant'],
    ] as const)
      state = withRecord(state, { ...recordOf(state, Uint8Array.fromHex(id))!, standing });
    const seats = ids.filter((id) => ![gone, expelled, applicant].includes(id));
    const seatsToCome = [{ fromHeight: 1, seats: seats.map((id) => Uint8Array.fromHex(id)) }];
    const { leaves, moment } = anchoredAt({ ...ten, state: { ...state, core: { ...state.core, seatsToCome } } });
    for (const tree of [leaves.members, leaves.verdicts, leaves.credits])
      assert.deepEqual(
        tree.map((leaf) => hex(leaf.node)),
        [...seats, gone, expelled],
      );
    assert.deepEqual(
      leaves.members.map(({ standing }) => standing),
      [...seats.map(() => 'seat'), 'none', 'expelled'],
    );
    assert.deepEqual([moment.members, moment.seats], [9, 7]);
  });

  test('stand under the roots by their paths (§20.1)', () => {
    const { leaves, moment } = anchoredAt(ten);
    for (let index = 0; index < leaves.members.length; index += 1) {
      const shown = [
        ['members', memberLeafDigest(leaves.members[index]!), moment.membersRoot],
        ['verdicts', verdictLeafDigest(leaves.verdicts[index]!), moment.verdictsRoot],
        ['credits', creditLeafDigest(leaves.credits[index]!), moment.creditsRoot],
      ] as const;
      for (const [tree, id, root] of shown) {
        const { path } = leafPath(leaves, tree, index);
        assert.equal(judgeInclusion(id, index, moment.members, path, root).status, 'accepted', `${tree} ${index}`);
      }
    }
  });

  test('say of a founder that it is trusted, by no evidence (§20.1)', () => {
    const leaf = verdictLeafOf(ten, subject);
    assert.deepEqual([leaf.word, leaf.attestedUntil, leaf.slot, leaf.judgedAtMs], ['trusted', 20, 0, 0]);
    assert.deepEqual([leaf.evidence, leaf.judges, leaf.drawnFrom], [zeros, zeros, 0]);
  });

  test('name the drawn judges while the verdict is of the newest slot, and this epoch as that of their draw (§20.1)', () => {
    const shown = attested(ten, subject);
    const judged = entered(shown, encodeTransaction(verdictOf(shown, subject)));
    const leaf = verdictLeafOf(judged, subject);
    const known = trustOf(judged, subject).slots[0]!;
    assert.deepEqual([leaf.word, leaf.slot, leaf.judgedAtMs, leaf.evidence], ['trusted', 0, known.timeMs, known.evidence]);
    const { network, networkId } = judged.context;
    const about = { subject: subject.node, slot: 0, level: 0 };
    const judges = [...judgesOf(networkId, drawOf(judged), about, network.genesis.trust!.judges).weights.keys()];
    assert.deepEqual([leaf.judges, leaf.drawnFrom], [judgesDigest(judges.map((node) => Uint8Array.fromHex(node))), epoch]);
    const order = (node: string) => {
      const committee = domainDigest('verdict-committee', networkId, anchoredAt(judged).moment.seed, subject.node, new Uint8Array(8));
      return hex(domainDigest('committee-order', committee, Uint8Array.fromHex(node)));
    };
    assert.deepEqual(
      judges,
      judges.toSorted((left, right) => (order(left) < order(right) ? -1 : 1)),
      "by the anchor's own seed",
    );
    const later = verdictLeafOf(inNextSlot(judged), subject);
    assert.deepEqual([later.slot, later.evidence, later.judges, later.drawnFrom], [0, known.evidence, zeros, 0]);
  });

  test('name no judges where all seats judge (§18.3, §20.1)', () => {
    const four = trusting(4);
    const shown = attested(four, four.members[0]!);
    const leaf = verdictLeafOf(entered(shown, encodeTransaction(verdictOf(shown, four.members[0]!))), four.members[0]!);
    assert.deepEqual([leaf.word, leaf.judges, leaf.drawnFrom], ['trusted', zeros, 0]);
    assert.notDeepEqual(leaf.evidence, zeros);
  });

  test('show evidence that was judged before, once the member is silent, with no slot (§20.1)', () => {
    const shown = attested(ten, subject);
    const judged = entered(shown, encodeTransaction(verdictOf(shown, subject)));
    const silent = verdictLeafOf(inNextSlot(inNextSlot(judged)), subject);
    assert.deepEqual([silent.word, silent.slot, silent.evidence], ['unreachable', 0, zeros]);
  });

  test('say who may be drawn as the newest draw weighs it (§20.1)', () => {
    const { node } = subject;
    const poor = { ...ten.state.members.get(hex(node))!, trust: { ...trustOf(ten, subject), credit: 100 } };
    const world = { ...ten, state: { ...ten.state, members: ten.state.members.with(hex(node), poor) } };
    const creditOf = (at: Trusting) => anchoredAt(at).leaves.credits.find((leaf) => hex(leaf.node) === hex(node))!;
    assert.deepEqual([creditOf(world).credit, creditOf(world).eligible], [100, true]);
    assert.equal(creditOf(inNextSlot(world)).eligible, false);
    assert.equal(creditOf(inNextSlot(ten)).eligible, true);
  });
});

test('the seed is that of the newest draw, and without trust that of the epoch (§20.2)', () => {
  const judging = inNextSlot(trusting(4));
  assert.deepEqual(anchoredAt(judging).moment.seed, drawOf(judging).seed);
  const plain = grownTo(
    foundedBy(
      ['a', 'b', 'c', 'd'].map((name) => createStubMember(name)),
      undefined,
    ),
    3,
  );
  const { moment, leaves } = anchoredAt(plain);
  assert.deepEqual(moment.seed, plain.state.core.epoch.seed);
  assert.deepEqual(new Set(leaves.verdicts.map(({ word }) => word)), new Set(['none']));
  assert.deepEqual([moment.seats, moment.members, leaves.credits[0]?.eligible], [4, 4, false]);
});

test('an anchor is of the first checkpoint at or above its height, and a far one has several (§20.2)', () => {
  assert.deepEqual(anchoredEpochs(8, 0, 7), []);
  assert.deepEqual(anchoredEpochs(8, 0, 8), [1]);
  assert.deepEqual(anchoredEpochs(8, 7, 9), [1]);
  assert.deepEqual(anchoredEpochs(8, 8, 9), []);
  assert.deepEqual(anchoredEpochs(8, 8, 33), [2, 3, 4]);
});

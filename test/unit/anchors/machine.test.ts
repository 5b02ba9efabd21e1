/** The duty of anchors: which are made, when a chip signs, which votes count (§20.2, §20.9). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '#protocol/digest.ts';
import { anchorDigest } from '#protocol/layer1/anchor.ts';
import type { SaidVote } from '#protocol/layer1/anchor-message.ts';
import { votesToPost } from '../../../device/anchors/anchors-state.ts';
import { ANCHOR_LIMITS } from '../../../device/anchors/limits.ts';
import { settled, startAnchors, stepAnchors } from '../../../device/anchors/machine.ts';
import { softwareChip, type SoftwareChip } from '../chain/software-chip.ts';
import { anchorAt, anchored, chips, epochAt, headerAt, namesOf, place, startedBy, takes, voteOf } from './workshop.ts';

const [alpha, bravo, charlie, delta, echo] = chips as [SoftwareChip, SoftwareChip, SoftwareChip, SoftwareChip, SoftwareChip];

describe('a chip signs an anchor', () => {
  test('once, and what it signed is stored before it is said (§20.9)', () => {
    const state = startedBy(alpha);
    assert.deepEqual(namesOf(takes(state, alpha, anchored(1))), ['store', 'store', 'sign', 'store', 'say', 'anchorVoted']);
    assert.deepEqual(namesOf(takes(state, alpha, anchored(1))), []);
  });

  test('never again after a new start: what the disk has stands, though the state were another (§20.9)', () => {
    const before = startedBy(alpha);
    takes(before, alpha, anchored(1));
    const after = startedBy(alpha, [epochAt(before, 1)]);
    const effects = takes(after, alpha, anchored(1, chips.slice(0, 4), { height: 9 }));
    assert.ok(!namesOf(effects).includes('sign'), namesOf(effects).join());
    assert.equal(anchorAt(after, 1), anchorAt(before, 1));
  });

  test('of the epoch after a known one, and says nothing of one whose anchor before is not known (§20.9)', () => {
    const state = startedBy(alpha);
    assert.deepEqual(namesOf(takes(state, alpha, anchored(2))), ['store']);
    assert.ok(namesOf(takes(state, alpha, anchored(1))).includes('sign'));
  });

  test('not if it has no seat in the anchor before (§20.2)', () => {
    assert.ok(!namesOf(takes(startedBy(echo), echo, anchored(1, chips))).includes('sign'));
    assert.ok(namesOf(takes(startedBy(delta), delta, anchored(1, chips.slice(0, 3)))).includes('sign'), 'who loses its seat by it votes');
  });

  for (const name of ['checkpoint', 'height', 'timeMs'] as const)
    test(`not if its ${name} is below that of the one before (§20.2)`, () => {
      const state = startedBy(alpha);
      takes(state, alpha, anchored(1));
      const effects = namesOf(takes(state, alpha, anchored(2, chips.slice(0, 4), { [name]: 3 })));
      assert.ok(effects.includes('anchorDoesNotFollow') && !effects.includes('sign'), effects.join());
    });

  test('of one checkpoint for several epochs, where it is far above the one before (§20.2)', () => {
    const state = startedBy(alpha);
    const same = { checkpoint: 9, height: 90, timeMs: 9_000 };
    takes(state, alpha, anchored(1, chips.slice(0, 4), same));
    assert.ok(namesOf(takes(state, alpha, anchored(2, chips.slice(0, 4), same))).includes('sign'));
  });

  test('again if it has failed (§20.9)', () => {
    const state = startedBy(alpha);
    stepAnchors(state, { type: 'anchored', anchored: anchored(1) });
    stepAnchors(state, { type: 'not-signed', epoch: 1 });
    assert.ok(namesOf(settled(state)).includes('sign'));
  });
});

describe('votes of others', () => {
  test('make a quorum with more than two thirds of the seats, the first that are enough (§20.2)', () => {
    const state = startedBy(alpha);
    takes(state, alpha, anchored(1));
    const header = headerAt(state, 1);
    const heard = (chip: SoftwareChip) => namesOf(stepAnchors(state, { type: 'heard', node: chip.node, votes: [voteOf(chip, header)] }));
    assert.deepEqual(heard(bravo), ['store']);
    assert.equal(votesToPost(state, epochAt(state, 1)), undefined);
    assert.deepEqual(heard(charlie), ['store', 'anchorHasQuorum']);
    assert.deepEqual(heard(delta), ['store']);
    const votes = votesToPost(state, epochAt(state, 1));
    assert.deepEqual([votes?.round, votes?.voters, votes?.votes.length], [0, 0b111n, 3 * 105]);
  });

  test('that came before the own checkpoint count when it is there (§20.9)', () => {
    const other = startedBy(bravo);
    takes(other, bravo, anchored(1));
    const state = startedBy(alpha);
    stepAnchors(state, { type: 'heard', node: bravo.node, votes: [voteOf(bravo, headerAt(other, 1))] });
    takes(state, alpha, anchored(1));
    assert.deepEqual([...epochAt(state, 1).votes.keys()].sort(), [hex(alpha.node), hex(bravo.node)].sort());
  });

  test('are looked at where they are new: not those of others again, nor one that is known (§20.9)', () => {
    let checks = 0;
    const asked = new Set<string>();
    const known = startedBy(alpha);
    const verifyEcdsa: typeof known.crypto.verifyEcdsa = (...given) => {
      checks += 1;
      return known.crypto.verifyEcdsa(...given);
    };
    class Watched extends Map<string, readonly SaidVote[]> {
      override get(node: string) {
        asked.add(node);
        return super.get(node);
      }
    }
    const state = { ...known, crypto: { ...known.crypto, verifyEcdsa }, said: new Watched() };
    takes(state, alpha, anchored(1));
    const header = headerAt(state, 1);
    const costOf = (chip: SoftwareChip, votes: readonly SaidVote[]) => {
      checks = 0;
      asked.clear();
      stepAnchors(state, { type: 'heard', node: chip.node, votes });
      return [checks, [...asked]];
    };
    const other = { ...header, timeMs: 5 };
    assert.deepEqual(costOf(charlie, [voteOf(charlie, header)]), [1, [hex(charlie.node)]]);
    assert.deepEqual(costOf(bravo, [voteOf(bravo, header)]), [1, [hex(bravo.node)]]);
    assert.deepEqual(costOf(bravo, [voteOf(bravo, header)]), [0, [hex(bravo.node)]]);
    assert.deepEqual(costOf(bravo, [voteOf(bravo, other)]), [1, [hex(bravo.node)]]);
    assert.deepEqual(costOf(bravo, [voteOf(bravo, other)]), [0, [hex(bravo.node)]]);
  });

  test('of another chip, or of somebody without a seat, make none (§20.2)', () => {
    const state = startedBy(alpha);
    takes(state, alpha, anchored(1));
    const header = headerAt(state, 1);
    stepAnchors(state, { type: 'heard', node: bravo.node, votes: [voteOf(charlie, header)] });
    const stranger = softwareChip('stranger');
    stepAnchors(state, { type: 'heard', node: stranger.node, votes: [voteOf(stranger, header)] });
    assert.deepEqual([...epochAt(state, 1).votes.keys()], [hex(alpha.node)]);
  });

  test('for two anchors of one epoch accuse their chip, once, in either order (§20.6)', () => {
    for (const isOwnFirst of [true, false]) {
      const state = startedBy(alpha);
      takes(state, alpha, anchored(1));
      const header = headerAt(state, 1);
      const said = [voteOf(bravo, header), voteOf(bravo, { ...header, timeMs: 5 })];
      const effects = (isOwnFirst ? said : said.toReversed()).flatMap((vote) =>
        stepAnchors(state, { type: 'heard', node: bravo.node, votes: [vote] }),
      );
      const accused = effects.filter((effect) => effect.effect === 'accuse');
      assert.deepEqual([accused.length, accused[0]?.node], [1, bravo.node]);
      assert.ok(namesOf(effects).includes('anchorContrary'));
    }
  });

  test('for anchors after different ones accuse nobody: after a recovery an epoch is signed again (§20.6)', () => {
    const state = startedBy(alpha);
    takes(state, alpha, anchored(1));
    const header = headerAt(state, 1);
    const votes = [voteOf(bravo, header), voteOf(bravo, { ...header, previous: new Uint8Array(32).fill(9) })];
    const effects = votes.flatMap((vote) => stepAnchors(state, { type: 'heard', node: bravo.node, votes: [vote] }));
    assert.ok(!namesOf(effects).includes('accuse'), namesOf(effects).join());
  });
});

describe('who comes later', () => {
  const others = [alpha, bravo, charlie, delta].map((chip) => {
    const state = startedBy(chip);
    for (const epoch of [1, 2, 3, 4, 5]) takes(state, chip, anchored(epoch));
    return { chip, state };
  });
  const [first] = others as [(typeof others)[0]];
  const newcomer = () => startAnchors({ place, crypto: startedBy(alpha).crypto, node: delta.node }, anchored(0), []);

  test('takes the anchor before from more than two thirds of the seats, and votes from then on (§20.9)', () => {
    const state = newcomer();
    takes(state, delta, anchored(5));
    const effects = others.slice(0, 3).map(({ chip }) => {
      const votes = [voteOf(chip, headerAt(first.state, 5))];
      return namesOf(stepAnchors(state, { type: 'heard', node: chip.node, votes }));
    });
    assert.deepEqual([effects[0], effects[1]], [[], []]);
    assert.ok(effects[2]?.includes('sign'), effects[2]?.join() ?? '');
    assert.equal(anchorAt(state, 5), anchorAt(first.state, 5));
  });

  test('takes it from nobody whose anchor is otherwise another (§20.9)', () => {
    const state = newcomer();
    takes(state, delta, anchored(5));
    const header = { ...headerAt(first.state, 5), height: 41 };
    for (const { chip } of others) stepAnchors(state, { type: 'heard', node: chip.node, votes: [voteOf(chip, header)] });
    assert.equal(epochAt(state, 5).previous, undefined);
  });
});

test('anchors that are final are kept for a while, and more than can wait are not taken (§20.9)', () => {
  const state = startedBy(alpha);
  const last = ANCHOR_LIMITS.waitingMax + ANCHOR_LIMITS.finalKept;
  for (let epoch = 1; epoch <= last + 1; epoch += 1) stepAnchors(state, { type: 'anchored', anchored: anchored(epoch) });
  assert.equal(state.epochs.has(last), true);
  assert.equal(state.epochs.has(last + 1), false);
  const forgotten = stepAnchors(state, { type: 'final', epoch: 40 }).filter(({ effect }) => effect === 'forget');
  assert.equal(forgotten.length, 40 - ANCHOR_LIMITS.finalKept + 1);
  assert.deepEqual([state.epochs.has(8), state.epochs.has(9)], [false, true]);
  assert.equal(anchorAt(state, 9), hex(anchorDigest(place, headerAt(state, 9))));
});

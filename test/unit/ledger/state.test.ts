/** The replicated state: its root, its bytes, and what can be shown of it (§11.4). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { StateMap } from '#protocol/chain/state-map.ts';
import { judgeStateProof, proveState, stateRoot } from '#protocol/chain/state-root.ts';
import { boxKey, type ChainState } from '#protocol/chain/state.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  boxesOf,
  bravo,
  capsuleId,
  charlie,
  extended,
  finalised,
  genesisChain,
  headOf,
  ledger,
  readyChain,
  submissionOf,
} from './workshop.ts';

const ordered = extended(readyChain, alpha, [
  actionOf(bravo, boxesOf(1, 'box', 'box1', 'box10')),
  actionOf(alpha, submissionOf(1, { acceptedAtMs: headOf(readyChain).timeMs })),
  actionOf(charlie, submissionOf(2, { acceptedAtMs: headOf(readyChain).timeMs, deadlineMs: 2e12 }, charlie)),
]);
const { state } = headOf(finalised(extended(ordered, bravo)));

/** The same entries in maps that share nothing with the given ones. */
function anew({ core, members, boxes, capsules }: ChainState): ChainState {
  const copy = <V extends object>(map: StateMap<V>): StateMap<V> =>
    StateMap.of([...map].map(([key, value]) => [key, { ...value }] as const));
  return { core: { ...core }, members: copy(members), boxes: copy(boxes), capsules: copy(capsules) };
}

describe('the root of a state', () => {
  test('is the same from scratch as along a chain of changes (§11.4)', () => {
    for (const { state: at } of finalised(ordered).positions) assert.deepEqual(stateRoot(anew(at)), stateRoot(at));
  });
  test('changes with every part (§11.4)', () => {
    const record = state.members.get(hex(alpha.node))!;
    const box = state.boxes.values().next().value!;
    const capsule = state.capsules.get(capsuleId(1))!;
    const others: ChainState[] = [
      { ...state, core: { ...state.core, checkpoint: { ...state.core.checkpoint, number: 9 } } },
      { ...state, members: state.members.with(hex(alpha.node), { ...record, votedIn: 9 }) },
      { ...state, members: state.members.with(hex(alpha.node), { ...record, member: { ...record.member, name: 'other' } }) },
      { ...state, members: state.members.without(hex(alpha.node)) },
      { ...state, boxes: state.boxes.with(boxKey(box), { ...box, box: { ...box.box, runtimes: [] } }) },
      { ...state, boxes: StateMap.of() },
      { ...state, capsules: state.capsules.with(capsuleId(1), { ...capsule, manifestBytes: 9 }) },
      { ...state, capsules: StateMap.of() },
    ];
    assert.equal(new Set([state, ...others].map((at) => hex(stateRoot(at)))).size, others.length + 1);
  });
  test('of a large state after one change costs one path (§11.4)', () => {
    const capsule = state.capsules.get(capsuleId(1))!;
    const capsules = StateMap.of(
      Array.from({ length: 5_000 }, (_, index) => [capsuleId(index), { ...capsule, capsule: capsuleId(index) }] as const),
    );
    const large = { ...state, capsules };
    stateRoot(large);
    let reads = 0;
    const counted = new Proxy(capsule, {
      ownKeys: (target) => ((reads += 1), Reflect.ownKeys(target)),
      get: (target, key) => ((reads += 1), Reflect.get(target, key) as unknown),
    });
    stateRoot({ ...large, capsules: capsules.with(capsuleId(77), counted) });
    assert.ok(reads > 0 && reads < 100, `${reads} reads of the changed entry`);
  });
});

describe('a state map', () => {
  const keys = fc.stringMatching(/^[0-9a-f/-]{1,6}$/);

  test('holds what a plain map holds, in the order of keys, whatever was done to it', () => {
    const change = fc.tuple(keys, fc.option(fc.nat(), { nil: undefined }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const plain = new Map<string, number>();
        let map = StateMap.of<number>();
        for (const [key, value] of changes) {
          if (value === undefined) plain.delete(key);
          else plain.set(key, value);
          map = value === undefined ? map.without(key) : map.with(key, value);
        }
        const sorted = [...plain].sort(([left], [right]) => (left < right ? -1 : 1));
        assert.deepEqual([...map], sorted);
        assert.equal(map.size, plain.size);
        assert.ok(sorted.every(([key, value]) => map.get(key) === value && map.has(key)));
        assert.deepEqual(StateMap.of(sorted.toReversed()).tree, map.tree);
      }),
      { numRuns: 300 },
    );
  });
  test('stays as it is when a copy changes', () => {
    const map = StateMap.of<number>([['a', 1] as const, ['b', 2] as const]);
    const other = map.with('c', 3).without('a').with('b', 9);
    assert.deepEqual(
      [[...map], [...other]],
      [
        [
          ['a', 1],
          ['b', 2],
        ],
        [
          ['b', 9],
          ['c', 3],
        ],
      ],
    );
    assert.equal(map.with('a', 1), map);
    assert.equal(map.without('z'), map);
  });
});

describe('the bytes of a state', () => {
  const encoded = encodeState(state);
  const root = stateRoot(state);
  const detailOf = (bytes: Uint8Array, expected = root): string => {
    const decoded = decodeState(bytes, expected);
    return decoded.status === 'malformed' ? decoded.detail : 'decoded';
  };

  test('are read back as the same state (§11.4)', () => {
    const decoded = decodeState(encoded, root);
    assert.ok(decoded.status === 'decoded', 'detail' in decoded ? decoded.detail : '');
    assert.deepEqual(decoded.value, state);
    assert.deepEqual(encodeState(decoded.value), encoded);
    assert.ok(sameBytes(stateRoot(decoded.value), root));
  });
  test('of the genesis are too (§11.4)', () => {
    const genesis = ledger.genesis().state;
    assert.equal(decodeState(encodeState(genesis), stateRoot(genesis)).status, 'decoded');
    assert.deepEqual(genesis, headOf(genesisChain).state);
  });
  test('are refused under another root: a peer that lies about the state (§13.7)', () => {
    assert.match(detailOf(encoded, new Uint8Array(32)), /it must be 0000/);
  });
  test('are refused when anything is changed, added or left out (§11.4)', () => {
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        assert.notEqual(detailOf(encoded.with(at, encoded[at]! ^ flip)), 'decoded');
      }),
      { numRuns: 150 },
    );
    for (const length of [0, 3, 4, 100, encoded.length - 1]) assert.notEqual(detailOf(encoded.subarray(0, length)), 'decoded');
    assert.match(detailOf(Uint8Array.of(...encoded, 0)), /bytes follow/);
  });
  test('are refused out of order or twice (§11.4)', () => {
    const [first, second] = [...state.capsules.values()];
    const swapped = { ...state, capsules: { size: 2, values: () => [second!, first!].values() } as unknown as ChainState['capsules'] };
    const twice = { ...state, capsules: { size: 2, values: () => [first!, first!].values() } as unknown as ChainState['capsules'] };
    assert.match(detailOf(encodeState(swapped)), /in the order of their ids/);
    assert.match(detailOf(encodeState(twice)), /in the order of their ids/);
  });
});

describe('a proof of state', () => {
  const root = stateRoot(state);
  const proof = proveState(state, [alpha.node, charlie.node]);
  const reason = (changed: typeof proof, under = root): string => {
    const verdict = judgeStateProof(under, changed);
    return verdict.status === 'refused' ? verdict.reason : verdict.status;
  };

  test('shows the core and single members to whoever has the root (§11.4)', () => {
    const verdict = judgeStateProof(root, proof);
    assert.ok(verdict.status === 'accepted');
    assert.deepEqual(verdict.core, state.core);
    assert.deepEqual(
      verdict.members,
      [alpha, charlie].map(({ node }) => state.members.get(hex(node))),
    );
  });
  test('leaves out who is not in the state (§11.4)', () => {
    assert.deepEqual(proveState(state, [createStubMember('stranger').node]).members, []);
  });
  test('is refused under another root, with another core, or with another part (§11.4)', () => {
    assert.equal(reason(proof, new Uint8Array(32)), 'other-root');
    assert.equal(reason({ ...proof, core: proveState(headOf(readyChain).state, []).core }), 'other-root');
    assert.equal(reason({ ...proof, boxesRoot: new Uint8Array(32) }), 'other-root');
  });
  test('is refused with a changed record or path (§11.4)', () => {
    const [first, second] = proof.members;
    const earlier = proveState(headOf(readyChain).state, [alpha.node]).members;
    assert.equal(reason({ ...proof, members: earlier }), 'not-under-the-root');
    assert.equal(reason({ ...proof, members: [{ ...first!, path: second!.path }] }), 'not-under-the-root');
    assert.equal(reason({ ...proof, members: [{ ...first!, path: first!.path.slice(1) }] }), 'not-under-the-root');
    assert.equal(reason({ ...proof, members: [{ ...first!, record: Uint8Array.of(1) }] }), 'malformed');
    assert.equal(reason({ ...proof, core: Uint8Array.of(1) }), 'malformed');
  });
});

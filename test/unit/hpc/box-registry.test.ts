/** What a device knows of its boxes when pairings change. Specification §6.1, §15.10, §17.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Hello } from '#protocol/box-messages.ts';
import type { OfferedBox } from '#protocol/chain/transaction.ts';
import { withHeard, withPairings, type BoxRegistry } from '../../../device/hpc/box-registry.ts';
import { offersOf } from '../../../device/hpc/offers.ts';

const software = {
  ...{ agent: new Uint8Array(32), kernel: '6.1', commandLine: new Uint8Array(32), packages: new Uint8Array(32), bootId: 'boot' },
  ...{ runtimes: [], isolation: [] },
};
const hello: Hello = { software, processors: 8, memoryBytes: 1, runs: [] };
const first = { name: 'box', signingKey: new Uint8Array(32).fill(1) };
const second = { name: 'box', signingKey: new Uint8Array(32).fill(2) };
const nobody = (): undefined => undefined;

function heard(): BoxRegistry {
  return withHeard(withPairings(new Map(), [first], nobody), 'box', 1_000, hello);
}

test('what was heard of a box stays with its key, and not with its name (§17.1)', () => {
  assert.equal(withPairings(heard(), [first], nobody).get('box')?.hello, hello);
  assert.deepEqual(withPairings(heard(), [second], () => hello).get('box'), second);
  assert.equal(withPairings(heard(), [], nobody).size, 0);
});

test('a box that is paired anew with another key is not offered by its predecessor’s word, nor left as the chain has that one (§15.10)', () => {
  const times = { sinceMs: 0, atMs: 2_000 };
  const onChain: OfferedBox[] = [{ name: 'box', key: first.signingKey, trust: 'self-reported', runtimes: [] }];
  const offered = (registry: BoxRegistry, offering: 'yes' | 'while-starting'): string[] =>
    offersOf(registry, onChain, times, { offering: () => offering, level: () => 'self-reported' }).map(({ key }) => key.toHex());
  assert.deepEqual(offered(heard(), 'yes'), [first.signingKey.toHex()]);
  const anew = withPairings(heard(), [second], nobody);
  assert.deepEqual([...offered(anew, 'yes'), ...offered(anew, 'while-starting')], []);
});

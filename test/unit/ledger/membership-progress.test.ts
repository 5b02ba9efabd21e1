/** What operators are told of their requests about membership (§11.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChainState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { leaveProgress, ownStanding } from '../../../device/membership/progress.ts';
import { alpha, bravo, headOf, readyChain } from './workshop.ts';

const ready = headOf(readyChain).state;
const changed = (standing: 'left' | 'expelled' | 'applicant', state: ChainState = ready): ChainState => {
  const record = state.members.get(hex(alpha.node));
  assert.ok(record);
  return { ...state, members: state.members.with(hex(alpha.node), { ...record, standing }) };
};
const demoted = (state: ChainState): ChainState => {
  const record = state.members.get(hex(alpha.node));
  assert.ok(record);
  const trust = { credit: 256, attestedUntil: 9, word: 'untrusted' as const, judgedIn: 0, demotedHeight: 3, slots: [] };
  return { ...state, members: state.members.with(hex(alpha.node), { ...record, trust }) };
};
const withoutSeat = (state: ChainState): ChainState => ({ ...state, core: { ...state.core, seats: [bravo.node] } });

test('a member leaves with the checkpoint that holds it, not with the block (§11.5)', () => {
  const stageOf = (finalised: ChainState, head: ChainState) => leaveProgress(alpha.node, { finalised, head }).stage;
  assert.equal(stageOf(ready, ready), 'unknown');
  assert.equal(stageOf(ready, changed('left')), 'in-block');
  assert.equal(stageOf(changed('left'), changed('left')), 'in-force');
});

test('a device knows what it is to its network (§11.5)', () => {
  assert.equal(ownStanding(alpha.node, ready), 'seated');
  assert.equal(ownStanding(alpha.node, withoutSeat(ready)), 'waits-for-seat');
  assert.equal(ownStanding(alpha.node, demoted(withoutSeat(ready))), 'demoted');
  assert.equal(ownStanding(alpha.node, changed('applicant')), 'applicant');
  assert.equal(ownStanding(alpha.node, changed('left')), 'left');
  assert.equal(ownStanding(alpha.node, changed('expelled')), 'expelled');
  assert.equal(ownStanding(new Uint8Array(32), ready), 'no-application');
});

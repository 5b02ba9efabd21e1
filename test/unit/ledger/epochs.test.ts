/** Seeds of the draws: when they change, and what is in them (§12.1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawAlpha } from '#protocol/chain/elapsed-draw.ts';
import { emptyGathering, gather, genesisSeed, nextSeed } from '#protocol/chain/epoch-seed.ts';
import { votersOf } from '#protocol/chain/public-draw.ts';
import type { ChainState, CoreState } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import { votersAfter } from '../../../device/ledger/checkpoints.ts';
import {
  actionOf,
  alpha,
  blockOn,
  bravo,
  consensus,
  extended,
  finalityOf,
  founders,
  genesisChain,
  grown,
  headOf,
  identity,
  ledger,
  readyChain,
  type Chain,
} from './workshop.ts';

const { epochHeights } = consensus;
const first = genesisSeed(
  identity,
  [...founders].sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1)).map(({ member }) => member.vrfKey),
);
const epochAt = (chain: Chain): CoreState['epoch'] => headOf(chain).state.core.epoch;
const gatheredIn = (chain: Chain, epoch: number): Uint8Array =>
  chain.blocks
    .filter(({ header }) => Math.floor(header.height / epochHeights) === epoch)
    .reduce((gathered, { header }) => gather(gathered, vrfOutput(stubCrypto, header.draw)), emptyGathering);
const upTo = (chain: Chain, height: number): Chain => grown(chain, height - headOf(chain).height);
const certified = (chain: Chain, height: number): Chain => extended(chain, bravo, [finalityOf(chain, height)]);

test('epochs 0 and 1 have the seed of the genesis (§12.1)', () => {
  assert.deepEqual(epochAt(genesisChain).seed, first);
  const chain = upTo(readyChain, 2 * epochHeights - 1);
  assert.deepEqual(epochAt(chain), { number: 1, seed: first, gathered: gatheredIn(chain, 0), gathering: gatheredIn(chain, 1) });
});

test('the seed of epoch 2 is made of the outputs of epoch 0, once these are final on the branch (§12.1)', () => {
  const chain = upTo(certified(upTo(readyChain, epochHeights), epochHeights - 1), 2 * epochHeights);
  assert.deepEqual(epochAt(chain).seed, nextSeed(first, gatheredIn(chain, 0)));
  assert.deepEqual(epochAt(chain).gathered, gatheredIn(chain, 1));
  const before = upTo(certified(upTo(readyChain, epochHeights), epochHeights - 1), 2 * epochHeights - 1);
  const draw = ledger.draw(headOf(before), alpha.node);
  assert.ok(draw.status === 'drawn');
  assert.deepEqual(draw.alpha, drawAlpha(identity, epochAt(chain).seed, 2 * epochHeights));
});

test('one block of epoch 0 that is not final keeps the seed: outputs withheld until after it are dropped (§12.1)', () => {
  const chain = upTo(certified(upTo(readyChain, epochHeights), epochHeights - 2), 2 * epochHeights);
  assert.deepEqual(epochAt(chain).seed, first);
  assert.equal(epochAt(chain).number, 2);
  const late = certified(chain, 2 * epochHeights - 1);
  assert.deepEqual(epochAt(late).seed, first);
  const next = upTo(late, 3 * epochHeights);
  assert.deepEqual(epochAt(next).seed, nextSeed(first, gatheredIn(next, 1)));
});

test('no content of a block enters the seed: with another body the draws above are the same (§12.1)', () => {
  const [plain, laden] = [[], [actionOf(alpha, { action: 'leave' })]].map((body) => extended(readyChain, bravo, body));
  assert.notDeepEqual(headOf(plain!).id, headOf(laden!).id);
  assert.deepEqual(epochAt(plain!), epochAt(laden!));
  assert.deepEqual(blockOn(plain!, alpha).header.draw, blockOn(laden!, alpha).header.draw);
});

test('a committee is drawn by the seed of the checkpoint before, also when its certificate comes epochs later (§13.1)', () => {
  const many = Array.from({ length: 150 }, (_, index) => new Uint8Array(32).fill(index));
  const chain = upTo(certified(upTo(readyChain, epochHeights + 3), epochHeights + 2), 3 * epochHeights);
  const { core } = headOf(chain).state;
  assert.deepEqual(core.seeds, [
    { fromHeight: 0, seed: first },
    { fromHeight: 2 * epochHeights, seed: nextSeed(first, gatheredIn(chain, 0)) },
  ]);
  const checkpoint = chain.positions[epochHeights + 2]!;
  const crowded: ChainState = { ...checkpoint.state, core: { ...checkpoint.state.core, seatsToCome: [{ fromHeight: 0, seats: many }] } };
  assert.deepEqual(votersAfter(crowded, identity, 2), votersOf(identity, core.seeds[0]!.seed, 2, many));
  const above = certified(chain, 2 * epochHeights);
  assert.deepEqual(headOf(above).state.core.seeds, core.seeds.slice(1));
});

test('a draw is the member’s own: another member has another for the same height (§12.2)', () => {
  const [left, right] = [blockOn(readyChain, alpha).header.draw, blockOn(readyChain, bravo).header.draw];
  assert.notDeepEqual(left, right);
  assert.equal(ledger.draw(headOf(readyChain), createStubMember('stranger').node).status, 'no-seat');
});

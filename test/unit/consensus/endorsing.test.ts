/** What more than half of the voters endorse is not left for a higher branch (§12.8). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndorsementMessage, type Endorsement } from '#protocol/chain/endorsement.ts';
import { hex } from '#protocol/digest.ts';
import { networkId } from '#protocol/network.ts';
import { peekSigned, signMessage } from '#protocol/signed.ts';
import { endorsedAfterOf } from '../../../device/consensus/due.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { ballotOf, byWait, forge, forgeChain, genesisOf, kindsOf, memberOf, say, sayBlock, voucherOf, type Made } from './forge.ts';
import { parameters, unixStartMs, World, type Actor } from './world.ts';

const names = ['alpha', 'bravo', 'charlie', 'delta', 'echo'];
const others = names.slice(1);
const afterMs = endorsedAfterOf(parameters.targetIntervalMs);

/** Alpha, which knows the keys of the others and takes blocks at once, with a block and a rival branch of two, which is higher. */
function watcher(know: readonly string[] = others): { world: World; alpha: Actor; genesis: Made; block: Made; rivals: Made[] } {
  const world = new World(names);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha');
  const genesis = genesisOf(world);
  for (const name of know) say(world, alpha, name, 'voucher', voucherOf(world, name));
  const [first, second] = byWait(world, genesis);
  const block = forge(world, genesis, first ?? '');
  const rival = forge(world, genesis, second ?? '');
  sayBlock(world, alpha, block);
  return { world, alpha, genesis, block, rivals: [rival, ...forgeChain(world, rival, 1)] };
}

const keyOf = ({ position }: Made): string => hex(position.id);
const headKey = ({ state }: Actor): string => state.head.key;

function endorsementOf(world: World, name: string, { position }: Pick<Made, 'position'>, network = networkId(world.network)): Uint8Array {
  const member = memberOf(world, name);
  const { height, id } = position;
  return signMessage(EndorsementMessage, { network, height, block: id, node: member.node }, (input) =>
    member.operationalKey('boot').sign(input),
  );
}

function endorsed(world: World, alpha: Actor, block: Made, by: readonly string[]): void {
  for (const name of by) say(world, alpha, name, 'ballot', endorsementOf(world, name, block));
}

const saidBy = ({ effects }: Actor, node: Uint8Array): Endorsement[] =>
  effects.flatMap((effect) => {
    const read = effect.effect === 'broadcast' && effect.kind === 'ballot' ? peekSigned(EndorsementMessage, effect.payload) : undefined;
    return read?.status === 'decoded' && hex(read.value.node) === hex(node) ? [read.value] : [];
  });

test('what three of five endorse is not left for a higher branch; what two endorse is (§12.8)', () => {
  for (const [by, stays] of [
    [others.slice(0, 3), true],
    [others.slice(0, 2), false],
  ] as const) {
    const { world, alpha, block, rivals } = watcher();
    endorsed(world, alpha, block, by);
    for (const rival of rivals) sayBlock(world, alpha, rival);
    assert.equal(headKey(alpha), keyOf(stays ? block : (rivals[1] as Made)), `${by.length} endorse it`);
  }
});

test('a member that stands elsewhere comes over, to the highest block above what is backed (§12.8)', () => {
  const { world, alpha, block, rivals } = watcher();
  const above = forge(world, block, 'bravo');
  for (const made of [...rivals, ...forgeChain(world, rivals[1] as Made, 1), above]) sayBlock(world, alpha, made);
  assert.notEqual(headKey(alpha), keyOf(above), 'one height lower');
  endorsed(world, alpha, block, others.slice(0, 3));
  assert.equal(headKey(alpha), keyOf(above));
});

test('the latest endorsement of each counts, and for all that is below it (§12.8)', () => {
  const { world, alpha, block, rivals } = watcher();
  for (const rival of rivals) sayBlock(world, alpha, rival);
  const above = forge(world, block, 'bravo');
  sayBlock(world, alpha, above);
  endorsed(world, alpha, block, ['bravo', 'charlie']);
  endorsed(world, alpha, above, ['delta']);
  assert.equal(headKey(alpha), keyOf(above), 'two for the block, one for what stands on it');
  const over = rivals[1] as Made;
  const higher = forge(world, over, 'charlie');
  sayBlock(world, alpha, higher);
  endorsed(world, alpha, over, ['bravo']);
  assert.equal(headKey(alpha), keyOf(higher), 'two are left: the greatest height again');
});

test('an endorsement counts once its block is taken (§12.8)', () => {
  const { world, alpha, block, rivals } = watcher();
  endorsed(world, alpha, rivals[0] as Made, others.slice(0, 3));
  assert.equal(headKey(alpha), keyOf(block));
  sayBlock(world, alpha, rivals[0] as Made);
  assert.equal(headKey(alpha), keyOf(rivals[0] as Made), 'though it came later, with a longer wait');
});

test('who endorses two blocks of one height counts for neither, until a checkpoint; both are passed on (§12.8)', () => {
  const { world, alpha, genesis, block, rivals } = watcher();
  for (const rival of rivals) sayBlock(world, alpha, rival);
  endorsed(world, alpha, block, ['bravo', 'charlie', 'delta']);
  assert.equal(headKey(alpha), keyOf(block));
  const effects = say(world, alpha, 'delta', 'ballot', endorsementOf(world, 'delta', rivals[0] as Made));
  assert.ok(kindsOf(effects).includes('broadcast ballot'));
  assert.equal(headKey(alpha), keyOf(rivals[1] as Made), 'two are left');
  const child = forge(world, block, 'charlie');
  assert.ok(!kindsOf(say(world, alpha, 'delta', 'ballot', endorsementOf(world, 'delta', child))).includes('broadcast ballot'));
  const about = { number: 1, previous: genesis.position.id };
  const precommit = { round: 0, step: 'precommit', value: block.position.id } as const;
  for (const name of others) say(world, alpha, name, 'ballot', ballotOf(world, name, about, precommit));
  assert.equal(alpha.state.finality.last.number, 1);
  const later = endorsementOf(world, 'delta', forge(world, child, 'bravo'));
  assert.ok(kindsOf(say(world, alpha, 'delta', 'ballot', later)).includes('broadcast ballot'));
});

test('an endorsement that says another height than its block’s counts for nothing, or a liar could endorse two of one (§12.8)', () => {
  for (const [claimed, counts] of [
    [1, true],
    [2, false],
  ] as const) {
    const { world, alpha, block, rivals } = watcher();
    for (const rival of rivals) sayBlock(world, alpha, rival);
    endorsed(world, alpha, block, ['bravo', 'charlie']);
    const said = endorsementOf(world, 'delta', { position: { ...block.position, height: claimed } });
    say(world, alpha, 'delta', 'ballot', said);
    assert.equal(headKey(alpha), keyOf(counts ? block : (rivals[1] as Made)), `height ${claimed}`);
  }
});

test('a lock goes before what others endorse (§13.3)', () => {
  const { world, alpha, genesis, block, rivals } = watcher();
  for (const rival of rivals) sayBlock(world, alpha, rival);
  const about = { number: 1, previous: genesis.position.id };
  const prevote = { round: 0, step: 'prevote', value: block.position.id } as const;
  for (const name of others) say(world, alpha, name, 'ballot', ballotOf(world, name, about, prevote));
  assert.equal(headKey(alpha), keyOf(block));
  endorsed(world, alpha, rivals[1] as Made, others);
  assert.equal(headKey(alpha), keyOf(block));
});

test('a head is endorsed a tenth of the interval after it was taken, one of a height, and none that is final (§12.8)', () => {
  const { world, alpha, genesis, block, rivals } = watcher();
  const said = (): string[] => saidBy(alpha, alpha.member.node).map((one) => hex(one.block));
  world.run(afterMs - 1);
  assert.deepEqual(said(), []);
  world.run(1);
  assert.deepEqual(said(), [keyOf(block)]);
  endorsed(world, alpha, rivals[0] as Made, others);
  sayBlock(world, alpha, rivals[0] as Made);
  assert.equal(headKey(alpha), keyOf(rivals[0] as Made));
  world.run(afterMs);
  assert.deepEqual(said(), [keyOf(block)], 'of this height it has said what it says');
  const final = rivals[1] as Made;
  sayBlock(world, alpha, final);
  const about = { number: 1, previous: genesis.position.id };
  const precommit = { round: 0, step: 'precommit', value: final.position.id } as const;
  for (const name of others) say(world, alpha, name, 'ballot', ballotOf(world, name, about, precommit));
  world.run(afterMs);
  assert.deepEqual(said(), [keyOf(block)]);
});

test('after a restart a member endorses only what is above all that it had (§12.8)', () => {
  const { world, alpha, block } = watcher();
  world.run(afterMs);
  world.kill(alpha);
  world.boot(alpha);
  world.run(afterMs);
  assert.equal(saidBy(alpha, alpha.member.node).length, 1);
  sayBlock(world, alpha, forge(world, block, 'bravo', { timeMs: unixStartMs + world.nowMs }));
  world.run(60_000);
  assert.deepEqual(
    saidBy(alpha, alpha.member.node).map(({ height }) => height),
    [1, 2],
  );
});

test('nothing is counted of other networks, of whoever has no vote, or far above the head; one by an unknown key waits for it (§12.8)', () => {
  const { world, alpha, block, rivals } = watcher(['bravo', 'charlie']);
  const stranger = new World([...names, 'foxtrot']);
  const isPassedOn = (payload: Uint8Array): boolean => kindsOf(say(world, alpha, 'bravo', 'ballot', payload)).includes('broadcast ballot');
  assert.ok(!isPassedOn(endorsementOf(world, 'bravo', block, new Uint8Array(32))));
  assert.ok(!isPassedOn(endorsementOf(stranger, 'foxtrot', block, networkId(world.network))));
  const far = { position: { ...block.position, height: 2 + CONSENSUS_LIMITS.endorsedHeights } };
  assert.ok(!isPassedOn(endorsementOf(world, 'bravo', far)));
  for (const rival of rivals) sayBlock(world, alpha, rival);
  endorsed(world, alpha, block, ['bravo', 'charlie', 'delta']);
  assert.equal(headKey(alpha), keyOf(rivals[1] as Made));
  say(world, alpha, 'delta', 'voucher', voucherOf(world, 'delta'));
  assert.equal(headKey(alpha), keyOf(block));
});

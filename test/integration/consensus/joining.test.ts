/** Devices with chips of their own come into a running network and leave it, and others try in vain. Specification §11.5. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { judgeFinalityProof, type ProvenTransaction } from '#protocol/chain/finality-proof.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Answers } from '#protocol/credential.ts';
import { hex } from '#protocol/digest.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { networkLabel, nodeIdOf, type Member } from '#protocol/network.ts';
import { topicOf } from '#protocol/topics.ts';
import { readConfiguration } from '../../../device/configuration.ts';
import { FinalityArchive } from '../../../device/chain/finality-archive.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { openDeviceAuthority } from '../../../device/device.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { startDeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { peerAuthoritiesOf } from '../../../device/pairing/pairing-service.ts';
import { openChainStore } from '../../../device/store/chain-store.ts';
import { forgedCard } from '../identity/forged-card.ts';
import { until } from './bench.ts';
import { foundDevices, type BenchDevice, type DeviceBench } from './device-bench.ts';
import { addEndedCapsules, retainedBy } from './retained-capsules.ts';

const crypto = createNodeCrypto();
let bench: DeviceBench;
let alpha: BenchDevice, bravo: BenchDevice, charlie: BenchDevice, delta: BenchDevice, echo: BenchDevice;
let cardOfEcho: Uint8Array;
/** Topics at alpha's broker. */
let retained: string[];

before(async () => {
  bench = await foundDevices(['alpha', 'bravo', 'charlie', 'delta'], { targetIntervalMs: 300, minimumWaitMs: 30, epochHeights: 8 });
  [alpha, bravo, charlie, delta] = bench.devices as [BenchDevice, BenchDevice, BenchDevice, BenchDevice];
  retained = addEndedCapsules(alpha, bench.network, 20);
  await Promise.all(bench.devices.map((device) => device.start()));
  await until(() => bench.devices.every((device) => device.chain.finalised().number >= 1), 'the four finalise');
});
after(() => bench.stop());

test('a newcomer that every member verifies gets a seat when a checkpoint holds it, and votes (§11.5)', async () => {
  echo = await bench.newcomer('echo');
  cardOfEcho = await echo.card();
  await echo.start();
  await until(() => echo.heard(/^membership .*"no-application"/), 'echo says that it has to apply');
  const applied = await alpha.ask({ ask: 'admit', card: cardOfEcho }, 'final');
  assert.deepEqual([applied.stage, applied.member], ['final', 'echo']);
  assert.ok(applied.height !== undefined && applied.height > 0, 'it is told in which block it stands');
  const node = nodeOf(cardOfEcho);
  await until(() => seatsAt(alpha).includes(node), 'echo has its seat', 30_000);
  assert.ok((recordAt(alpha, node)?.vouchedBy.length ?? 0) >= 3, 'more than two thirds of four have vouched');
  assert.ok((recordAt(alpha, node)?.drawsFromEpoch ?? 0) >= 3, 'it draws no earlier than in the third epoch');
  await until(() => hasVoted(alpha, node), 'a certificate has the vote of echo', 30_000);
  await until(() => echo.heard(/^membership .*"seated"/), 'echo says so');
});

test('what the broker of a gateway retained of capsules is said again after a member came (§5.4)', async () => {
  assert.ok(brokerStarts(alpha) > 1, 'its broker, which retains in memory, was started anew');
  assert.deepEqual(await retainedBy(alpha, bench.network, retained.length), retained);
});

test('the same card once more is answered as it stands, and changes nothing (§11.5)', async () => {
  const again = await bravo.ask({ ask: 'admit', card: cardOfEcho }, 'in-force');
  assert.deepEqual([again.stage, again.member], ['in-force', 'echo']);
});

test('a name that another has is refused, and the operator is told so (§11.5)', async () => {
  const double = await bench.newcomer('bravo', 'second-bravo');
  const refused = await alpha.ask({ ask: 'admit', card: await double.card() }, 'final');
  assert.deepEqual([refused.stage, refused.reason, refused.detail], ['refused', 'name-taken', 'another has the name "bravo"']);
});

test('a copied certificate with keys made in software gets no vouch, whatever it answers (§3.4, §11.5)', async () => {
  const copied = await bench.newcomer('foxtrot');
  const card = forgedCard(memberIn(await copied.card()), foundingOf(bench));
  const applied = await bravo.ask({ ask: 'admit', card }, 'final');
  assert.equal(applied.stage, 'final', 'nothing on the card itself gives it away');
  const stop = await answerByGuessing(copied, card);
  try {
    const others = [alpha, bravo, charlie, delta];
    await until(
      () => others.every((one) => one.heard(/foxtrot: its answer does not show that its TPM opened our secret/)),
      'all refuse it',
    );
    const height = alpha.chain.head().height;
    await until(() => alpha.chain.finalised().height > height + 2, 'the chain goes on');
    assert.deepEqual([recordAt(alpha, nodeOf(card))?.standing, recordAt(alpha, nodeOf(card))?.vouchedBy], ['applicant', []]);
  } finally {
    await stop();
  }
});

test('a newcomer whose firmware is not among the references gets no vouch (§3.3, §11.5)', async () => {
  const golf = await bench.newcomer('golf');
  const tree = bench.changedTree();
  const card = await golf.cardFrom(tree);
  golf.startFrom(tree);
  const applied = await charlie.ask({ ask: 'admit', card }, 'final');
  assert.equal(applied.stage, 'final');
  await until(
    () => [alpha, bravo, charlie].every((one) => one.heard(/^standing .*"golf".*"untrusted".*"measurement-unknown"/)),
    'its evidence is refused',
    30_000,
  );
  const again = await charlie.ask({ ask: 'admit', card }, 'final');
  assert.deepEqual([again.stage, again.reason, again.vouchedBy], ['final', 'measurement-unknown', []], 'its operator is told why');
  const once = await charlie.ask({ ask: 'admit', card }, 'final', 5_000);
  assert.deepEqual(once, { ...again, checkpoint: once.checkpoint }, 'whoever asks again is answered, though nothing has changed');
  const height = alpha.chain.head().height;
  await until(() => alpha.chain.finalised().height > height + 2, 'the chain goes on');
  assert.deepEqual(recordAt(alpha, nodeOf(card))?.vouchedBy, []);
  await golf.stop();
});

test('a member that leaves is told so, and the others finalise with the smaller set (§11.5)', async () => {
  const starts = brokerStarts(alpha);
  const left = await delta.ask({ ask: 'leave' }, 'in-force', 30_000);
  assert.deepEqual([left.stage, left.member], ['in-force', 'delta']);
  await until(() => delta.heard(/^membership .*"left"/), 'delta says so');
  await delta.stop();
  const members = [alpha, bravo, charlie, echo];
  await until(() => members.every((one) => seatsAt(one).length === 4), 'all have four seats');
  const number = alpha.chain.finalised().number;
  await until(() => members.every((one) => one.chain.finalised().number >= number + 3), 'the rest finalises');
  assert.ok(brokerStarts(alpha) > starts, 'it is let in no more');
  assert.deepEqual(await retainedBy(alpha, bench.network, retained.length), retained, 'capsules are said again (§5.4)');
  await assert.rejects(delta.ask({ ask: 'leave' }, 'in-force', 500), /delta gave no answer/, 'a device that does not run says nothing');
});

test('what is final afterwards is proven by the network file of the founding alone (§13.6)', async () => {
  const { state, height } = alpha.chain.finalised();
  await alpha.stop();
  const store = openChainStore(join(alpha.state, 'chain.sqlite'), () => undefined);
  try {
    const archive = new FinalityArchive(store, bench.network, state);
    const at = [...Array(20).keys()].map((below) => height - below).find((one) => (archive.blockAt(one)?.transactions.length ?? 0) > 0);
    const proof = at === undefined ? undefined : archive.prove(at, 0)?.proof;
    assert.ok(proof);
    const verdict = judgeFinalityProof(proof, { network: bench.network, crypto });
    assert.ok(verdict.status === 'accepted', 'detail' in verdict ? verdict.detail : '');
    assert.equal(verdict.voters, 4);
    assert.ok(votersOf(verdict).includes('echo') || votersOf(verdict).length === 3);
    assert.ok(!votersOf(verdict).includes('delta'));
  } finally {
    store.close();
  }
});

/** Stands where the copied certificate says, and answers whatever is asked with a guess, over and over. @returns what ends it */
async function answerByGuessing(copied: BenchDevice, card: Uint8Array): Promise<() => Promise<void>> {
  const configuration = readConfiguration(copied.state);
  const ports = await claimPorts(join(copied.state, 'broker', 'ports.json'), configuration.ports);
  const label = networkLabel(bench.network);
  const broker = await startDeviceBroker(
    {
      folder: join(copied.state, 'broker'),
      network: label,
      device: copied.name,
      authority: openDeviceAuthority(copied.state, configuration),
      ports,
      address: '127.0.0.1',
      onEvent: () => undefined,
    },
    { peerAuthorities: peerAuthoritiesOf(bench.network.members, copied.name), revokedClients: [], revokedBoxes: [] },
  );
  const own = connect({ socket: broker.socket });
  await own.connected(5_000);
  const guesses = bench.network.genesis.members.map((issuer) => ({
    issuer,
    subject: Uint8Array.fromHex(nodeOf(card)),
    proof: new Uint8Array(32),
  }));
  const guess = (): void =>
    void own.publish(topicOf(label, { to: 'gossip', kind: 'answer' }), encodeStrict(Answers, guesses), { retain: true });
  const timer = setInterval(guess, 500);
  return async () => {
    clearInterval(timer);
    await own.close();
    await broker.stop();
  };
}

function foundingOf({ network: { genesis } }: DeviceBench): Parameters<typeof forgedCard>[1] {
  return { salt: genesis.salt, authorities: genesis.endorsementAuthorities, crypto, atMs: Date.now() };
}

function memberIn(card: Uint8Array): Member {
  const decoded = decodeStrict(MemberCard, card, LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return decoded.value.member;
}

function nodeOf(card: Uint8Array): string {
  return hex(nodeIdOf(memberIn(card).endorsementKey));
}

function recordAt(device: BenchDevice, node: string): MemberRecord | undefined {
  return device.chain.finalised().state.members.get(node);
}

function brokerStarts({ lines }: BenchDevice): number {
  return lines.filter((line) => line.startsWith('brokerStarted')).length;
}

function seatsAt(device: BenchDevice): string[] {
  return device.chain.finalised().state.core.seats.map(hex);
}

function hasVoted(device: BenchDevice, node: string): boolean {
  return device.chain.finalised().certificate?.votes.some((vote) => hex(vote.node) === node) ?? false;
}

function votersOf({ votes }: ProvenTransaction): string[] {
  return votes.map(({ name }) => name);
}

/** What devices make of one another over time, and of peers that cheat. Specification §3.4 to §3.8. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';

import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Activations, Answers } from '#protocol/credential.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { DeviceEvidence, encodeDeviceEvidence } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ATTESTATION_KINDS } from '#protocol/topics.ts';
import type { AttestationRecord } from '../../../device/attestation/record.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import { crypto, startBench, type Bench } from './bench.ts';
import { World } from './world.ts';

let bench: Bench;
before(async () => {
  bench = await startBench();
});
after(() => bench.stop());

/** Three devices that trust one another. */
async function trustingWorld(changes: ConstructorParameters<typeof World>[1] = {}): Promise<World> {
  const world = new World(bench, changes);
  await world.settle();
  for (const of of world.nodes.keys())
    for (const to of world.nodes.keys()) if (of !== to) assert.equal(world.standing(of, to)?.verdict, 'trusted');
  return world;
}

function verdict(world: World, of: string, to: string): string {
  const standing = world.standing(of, to);
  assert.ok(standing);
  return standing.verdict === 'trusted' ? 'trusted' : `${standing.verdict}: ${standing.reason}`;
}

function recordsOf(world: World): Map<string, AttestationRecord> {
  return new Map([...world.nodes].map(([name, { record }]) => [name, record]));
}

test('trust is renewed every two minutes for as long as everybody is there (§3.8)', async () => {
  const world = await trustingWorld();
  for (let minute = 0; minute < 20; minute += 1) {
    await world.pass(60_000);
    assert.equal(verdict(world, 'bravo', 'alpha'), 'trusted');
  }
  const made = world.node('alpha').asked.filter((task) => task === 'make-evidence').length;
  assert.ok(made >= 7 && made <= 12, `${made} pieces of evidence in 20 minutes`);
});

test('trust ends by itself: silence is no verdict, and a peer that was away is trusted again (§3.8)', async () => {
  const world = await trustingWorld();
  world.tamper = (message) => (message.from === 'bravo' ? undefined : message);
  await world.pass(LIMITS.beaconAgeMaxMs);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'trusted');
  await world.pass(1_000);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'unreachable: nothing-heard');
  world.tamper = (message) => message;
  await world.pass(DEVICE_LIMITS.beaconEveryMs);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'trusted');
});

test('a peer that gives beacons but no evidence is stale (§3.8)', async () => {
  const world = await trustingWorld();
  world.tamper = (message) => (message.from === 'bravo' && message.kind === 'evidence' ? undefined : message);
  for (let minute = 0; minute < 6; minute += 1) await world.pass(60_000);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'stale: evidence-expired');
});

test('evidence that a broker retained from long ago is neither merit nor fault (§3.8)', async () => {
  const world = await trustingWorld();
  const old = world.node('bravo').published.get('evidence');
  assert.ok(old);
  const later = new World(bench, { records: recordsOf(world) });
  later.nowMs = world.nowMs + 3_600_000;
  await later.node('alpha').take({ type: 'received', from: 'bravo', kind: 'evidence', payload: old, nowMs: later.nowMs });
  assert.equal(verdict(later, 'bravo', 'alpha'), 'unreachable: nothing-heard');
  assert.match(later.node('alpha').notes.join(), /not of now: the beacon is 3600 s old/);
});

test('a peer whose evidence is refused is untrusted, until it shows evidence that holds (§3.8)', async () => {
  const world = await trustingWorld();
  world.tamper = (message) => {
    if (message.from !== 'bravo' || message.kind !== 'evidence') return message;
    const decoded = decodeStrict(DeviceEvidence, message.payload, LIMITS.evidenceBytesMax);
    assert.ok(decoded.status === 'decoded');
    return { ...message, payload: encodeDeviceEvidence({ ...decoded.value, eventLog: [] }) };
  };
  await world.pass(DEVICE_LIMITS.evidenceEveryMs);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'untrusted: event-log-differs');
  world.tamper = (message) => message;
  await world.pass(DEVICE_LIMITS.evidenceEveryMs);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'trusted');
});

test('a peer that shows another’s evidence as its own is untrusted (§3.6)', async () => {
  const world = await trustingWorld();
  const payload = world.node('charlie').published.get('evidence');
  assert.ok(payload);
  const nowMs = world.nowMs + DEVICE_LIMITS.evidenceJudgedEveryMs;
  await world.node('alpha').take({ type: 'received', from: 'bravo', kind: 'evidence', payload, nowMs });
  assert.equal(verdict(world, 'bravo', 'alpha'), 'untrusted: evidence-of-other-node');
});

test('a device seen in two places is disputed, and stays so over a restart (§3.7)', async () => {
  const trusting = await trustingWorld();
  const record = trusting.node('alpha').record;
  const ahead = {
    peers: record.peers.map((peer) => {
      if (peer.name !== 'bravo' || !peer.continuity) return peer;
      const { latest } = peer.continuity;
      return { ...peer, continuity: { latest: { ...latest, resetCount: latest.resetCount + 1 }, bootSeenAtMs: latest.seenAtMs - 120_000 } };
    }),
  };
  const world = new World(bench, { records: recordsOf(trusting).set('alpha', ahead) });
  await world.settle();
  assert.equal(verdict(world, 'bravo', 'alpha'), 'disputed: reset-count-went-back');
  assert.equal(verdict(world, 'bravo', 'charlie'), 'trusted');

  const restarted = new World(bench, { records: recordsOf(world) });
  await restarted.settle();
  assert.equal(verdict(restarted, 'bravo', 'alpha'), 'disputed: reset-count-went-back');
  assert.ok(
    !restarted.node('alpha').state.evidence || restarted.node('alpha').state.evidence?.beacon.issuer === 'charlie',
    'nor is its beacon used',
  );
});

test('an answer that does not show the secret gets no credential, and without two credentials there is no evidence (§3.4)', async () => {
  const world = new World(bench);
  world.tamper = (message) => {
    if (message.from !== 'bravo' || message.kind !== 'answer') return message;
    const answers = decodeStrict(Answers, message.payload, LIMITS.packetBytesMax);
    assert.ok(answers.status === 'decoded');
    return {
      ...message,
      payload: encodeStrict(
        Answers,
        answers.value.map((answer) => ({ ...answer, proof: new Uint8Array(32) })),
      ),
    };
  };
  await world.settle();
  assert.ok(world.node('alpha').notes.includes('bravo: its answer does not show that its TPM opened our secret'));
  assert.equal(world.node('bravo').state.evidence, undefined);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'stale: no-evidence-yet');
  assert.equal(verdict(world, 'charlie', 'alpha'), 'trusted');
});

test('only a peer’s own word for us is taken from it (§3.4)', async () => {
  const world = new World(bench);
  world.tamper = (message) => {
    const other = world.node('charlie').published.get('credential');
    return message.from === 'bravo' && message.kind === 'credential' && other ? { ...message, payload: other } : message;
  };
  await world.settle();
  assert.match(world.node('alpha').notes.join(), /bravo: it shows a credential for us by charlie; only its own is taken/);
  assert.equal(world.node('alpha').state.peers.get('bravo')?.credentialByIt, undefined);
});

test('a peer’s own beacons are taken from it, and an older one does not replace a newer (§3.5)', async () => {
  const world = await trustingWorld();
  const [alpha, bravo, charlie] = ['alpha', 'bravo', 'charlie'].map((name) => world.node(name));
  const older = bravo?.published.get('beacon');
  await world.pass(DEVICE_LIMITS.beaconEveryMs);
  const newest = alpha?.state.peers.get('bravo')?.beacon;
  const foreign = charlie?.published.get('beacon');
  assert.ok(alpha && older && newest && foreign && !Buffer.from(older).equals(newest.envelope));
  for (const payload of [older, foreign])
    await alpha.take({ type: 'received', from: 'bravo', kind: 'beacon', payload, nowMs: world.nowMs });
  assert.deepEqual(alpha.state.peers.get('bravo')?.beacon, newest);
  assert.deepEqual(alpha.notes, ['bravo: it shows a beacon by charlie; only its own is taken']);
});

test('a secret closed for one chip is not opened by another (§3.4)', async () => {
  const world = new World(bench);
  world.tamper = (message) => {
    if (message.from !== 'charlie' || message.kind !== 'activation') return message;
    const open = decodeStrict(Activations, message.payload, LIMITS.packetBytesMax);
    assert.ok(open.status === 'decoded');
    const [alpha, bravo] = bench.devices.map(({ identity }) => identity.node);
    assert.ok(alpha && bravo);
    const swapped = open.value.map((one) => ({ ...one, subject: Buffer.from(one.subject).equals(alpha) ? bravo : alpha }));
    return { ...message, payload: encodeStrict(Activations, swapped) };
  };
  await assert.rejects(world.settle(), { code: 'ERR_TPM', command: 'ActivateCredential' });
});

test('a peer that closes secret after secret has one opened in a while, so that the TPM is free for others (§10)', async () => {
  const world = new World(bench);
  world.tamper = (message) => (message.from === 'charlie' && message.kind === 'credential' ? undefined : message);
  await world.settle();
  const alpha = world.node('alpha');
  const opened = (): number => alpha.asked.filter((task) => task === 'open-secret').length;
  const answered = alpha.state.peers.get('charlie')?.answerToIt;
  assert.ok(answered);
  const before = opened();
  const flood = async (fill: number): Promise<void> => {
    const activation = { ...answered.activation, credentialBlob: Uint8Array.of(fill) };
    await alpha.take({
      type: 'received',
      from: 'charlie',
      kind: 'activation',
      payload: encodeStrict(Activations, [activation]),
      nowMs: world.nowMs,
    });
  };
  alpha.refusing.add('open-secret');
  for (let fill = 0; fill < 50; fill += 1) await flood(fill);
  assert.equal(opened(), before);
  await world.pass(DEVICE_LIMITS.tpmRetryMs);
  assert.equal(opened(), before + 1);
});

test('a restarted device has its credentials, asks for none and is trusted at once (§3.4)', async () => {
  const world = new World(bench, { records: recordsOf(await trustingWorld()) });
  await world.settle();
  assert.equal(verdict(world, 'alpha', 'bravo'), 'trusted');
  assert.deepEqual([...new Set(world.node('alpha').asked)].sort(), ['make-beacon', 'make-evidence']);
});

test('credentials for keys that the network file no longer has are dropped (§3.4)', async () => {
  const records = recordsOf(await trustingWorld());
  const { members } = bench.network;
  const [alpha, bravo, charlie] = members;
  assert.ok(alpha && bravo && charlie);
  const other = bench.network.members[2];
  assert.ok(other);
  const network = { ...bench.network, members: [alpha, { ...bravo, vrfKey: other.vrfKey }, charlie] };
  const { state } = new World(bench, { network, records }).node('alpha');
  assert.equal(state.peers.get('bravo')?.credentialForIt, undefined);
  assert.ok(state.peers.get('charlie')?.credentialForIt);
});

test('what the TPM refuses is asked again after a while, and not before (§3.6)', async () => {
  const world = new World(bench);
  const alpha = world.node('alpha');
  alpha.refusing.add('make-beacon');
  await world.settle();
  assert.equal(alpha.asked.filter((task) => task === 'make-beacon').length, 1);
  await world.pass(DEVICE_LIMITS.tpmRetryMs - 1);
  assert.equal(alpha.asked.filter((task) => task === 'make-beacon').length, 1);
  alpha.refusing.clear();
  await world.pass(1);
  assert.equal(alpha.asked.filter((task) => task === 'make-beacon').length, 2);
  assert.ok(alpha.published.has('beacon'));
});

test('a flood of evidence is judged once a second, and the latest of it counts (§10)', async () => {
  let verifications = 0;
  const counting: Crypto = { ...crypto, verifyEcdsa: (...args) => ((verifications += 1), crypto.verifyEcdsa(...args)) };
  const world = await trustingWorld({ crypto: counting });
  const good = world.node('bravo').published.get('evidence');
  assert.ok(good);
  const decoded = decodeStrict(DeviceEvidence, good, LIMITS.evidenceBytesMax);
  assert.ok(decoded.status === 'decoded');
  const before = verifications;
  for (let index = 0; index < 500; index += 1) {
    const payload = encodeDeviceEvidence({ ...decoded.value, timeSignature: Uint8Array.of(index >> 8, index & 0xff) });
    await world.node('alpha').take({ type: 'received', from: 'bravo', kind: 'evidence', payload, nowMs: world.nowMs });
  }
  assert.equal(verifications - before, 0);
  await world
    .node('alpha')
    .take({ type: 'received', from: 'bravo', kind: 'evidence', payload: Uint8Array.of(...good, 0), nowMs: world.nowMs });
  await world.pass(DEVICE_LIMITS.evidenceJudgedEveryMs);
  assert.equal(verdict(world, 'bravo', 'alpha'), 'untrusted: malformed');
});

test('each new evidence moves the end of trust (§3.8)', async () => {
  const world = await trustingWorld();
  const first = world.standing('bravo', 'alpha');
  await world.pass(DEVICE_LIMITS.evidenceEveryMs);
  const second = world.standing('bravo', 'alpha');
  assert.ok(first?.verdict === 'trusted' && second?.verdict === 'trusted');
  assert.ok(second.attestedUntilMs > first.attestedUntilMs);
});

test('whatever a peer or a stranger sends is a note, never an exception (§2.1)', async () => {
  const world = await trustingWorld();
  const alpha = world.node('alpha');
  const samples = [...world.node('bravo').published.values()];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('bravo', 'charlie', 'nobody', '../..'),
      fc.constantFrom(...ATTESTATION_KINDS),
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(...samples),
        fc.tuple(fc.constantFrom(...samples), fc.nat(), fc.nat(255)).map(mutated),
      ),
      async (from, kind, payload) => {
        await alpha.take({ type: 'received', from, kind, payload, nowMs: world.nowMs });
      },
    ),
    { numRuns: 300 },
  );
  assert.equal(alpha.state.peers.size, 2);
});

function mutated([sample, at, value]: [Uint8Array, number, number]): Uint8Array {
  const changed = sample.slice();
  if (changed.length > 0) changed[at % changed.length] = value;
  return changed;
}

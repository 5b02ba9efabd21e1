/**
 * One decision among n voters (specification §13.2) as a voter meets it: every ballot read, its signature checked, counted; beside bare
 * Ed25519 checks of as many signatures.
 */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { hex } from '#protocol/digest.ts';
import { isSignedBy, readSigned, signMessage } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import { startDecision, stepDecision } from '../../device/votes/machine.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { inTurns } from './rounds.ts';

export const decision: Benchmark = {
  name: 'decision',
  summary: 'processor time of one decision at one voter, 4 to 128 voters, beside as many bare Ed25519 checks',
  metric: 'one decision',
  run: async ({ rounds, quick }) => {
    const rows: Row[] = [];
    for (const voters of [4, 7, 31, 128]) rows.push(await measure(voters, rounds, quick ? 100 : 400));
    return rows;
  },
};

async function measure(voters: number, rounds: number, durationMs: number): Promise<Row> {
  const { decide, bare } = ballotsOf(voters);
  cpuMs(decide, durationMs);
  const { ours, floor } = await inTurns(
    rounds,
    () => cpuMs(decide, durationMs),
    () => cpuMs(bare, durationMs),
  );
  return {
    status: 'measured',
    metric: `one decision at one of ${voters} voters`,
    unit: ' ms',
    better: 'lower',
    ours,
    floor: { name: `${2 * (voters - 1)} bare crypto.verify Ed25519`, samples: floor },
    note: 'processor time: prevotes and precommits of all others read, checked and counted; own two cast, not signed; no disk, no network',
  };
}

/** Mean processor time of one piece of work, ms. */
function cpuMs(work: () => void, durationMs: number): number {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  let count = 0;
  while (performance.now() - startedAt < durationMs) {
    work();
    count += 1;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / count;
}

interface Said {
  readonly envelope: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly bare: () => boolean;
}

function ballotsOf(count: number): { decide: () => void; bare: () => void } {
  const crypto = createNodeCrypto();
  const bytes = (): Uint8Array => new Uint8Array(randomBytes(32));
  const [network, instance, value] = [bytes(), bytes(), bytes()];
  const nodes = Array.from({ length: count }, bytes);
  const [own, ...others] = nodes;
  if (!own) throw new Error('a decision takes a voter');
  const speakers = others.map((node) => speakerOf({ network, instance, round: 0, value, node }));
  const said = (['prevote', 'precommit'] as const).flatMap((step) => speakers.map((speak) => speak(step)));
  const voters = { weights: new Map(nodes.map((node) => [hex(node), 1])), total: count };
  return {
    bare: () => {
      for (const { bare } of said) if (!bare()) throw new Error('a good signature is refused');
    },
    decide: () => {
      const state = startDecision({ instance, voters, self: hex(own), baseMs: 1_000, repeatMs: 1_000 });
      stepDecision(state, { type: 'candidateChosen', value, nowMs: 0 });
      for (const { envelope, publicKey } of said) {
        const read = readSigned(BallotMessage, envelope);
        if (read.status === 'malformed' || !isSignedBy(BallotMessage, read.value, { algorithm: 'ed25519', publicKey }, crypto))
          throw new Error('a good ballot is refused');
        stepDecision(state, { type: 'ballotReceived', cast: { ballot: read.value.value, envelope, key: publicKey }, nowMs: 0 });
      }
      if (!state.decision) throw new Error('all have voted and nothing is decided');
    },
  };
}

function speakerOf(about: Omit<Ballot, 'step'>): (step: Ballot['step']) => Said {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Uint8Array.fromBase64(publicKey.export({ format: 'jwk' }).x ?? '', { alphabet: 'base64url' });
  const key = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }));
  return (step) => {
    let input: Uint8Array = new Uint8Array();
    let signature: Uint8Array = new Uint8Array();
    const envelope = signMessage(BallotMessage, { ...about, step }, (signed) => {
      input = signed;
      return (signature = new Uint8Array(sign(null, signed, privateKey)));
    });
    return { envelope, publicKey: raw, bare: () => verify(null, input, key, signature) };
  };
}

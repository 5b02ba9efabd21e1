/**
 * A thousand members that show evidence and are judged by seven others each, in one process with real signatures, from bytes to verdicts in the
 * state: how many in a second of one core, beside their signature checks alone, and what the state takes. Specification §18.
 */
import { judgesOf } from '#protocol/chain/judges.ts';
import { decodeAction } from '#protocol/chain/signed-action.ts';
import { decodeTransaction, encodeTransaction } from '#protocol/chain/transaction.ts';
import { VerdictBallotMessage, verdictInstance, verdictValue } from '#protocol/chain/verdict.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { decodeMemberEvidence, judgeMemberEvidence, memberEvidenceDigest } from '#protocol/member-evidence.ts';
import { isSignedBy, readSigned, signMessage } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import type { CastBallot, Voters } from '../../../device/votes/decision.ts';
import { startDecision, stepDecision } from '../../../device/votes/machine.ts';
import type { Benchmark } from '../../../scripts/bench/benchmark.ts';
import { recordingChecks } from '../../../scripts/bench/recorded-checks.ts';
import { inTurns, perCpuSecond } from '../../../scripts/bench/rounds.ts';
import {
  attestationOf,
  certified,
  drawOf,
  entered,
  foundedBy,
  grownTo,
  inNextSlot,
  keyOf,
  placeOf,
  voucherOf,
  type Trusting,
} from '../../unit/ledger/trust-workshop.ts';
import { heapBytes } from './heap.ts';
import { realKeySource } from '../real-keys.ts';
import { memberWith, stubEventLog, type StubMember } from '../stub-tpm.ts';

const MEMBERS = 1_000;
/** As many as found a network; the others came later. */
const FOUNDERS = 128;
/** Of which several members have one: finding primes takes a second, and what a proof costs does not go by whose it is. */
const VRF_KEYS = 8;
/** Of which the checks are recorded. */
const RECORDED = 20;

const parameters = { slotHeights: 48, judges: 7, trustedCheckpoints: 144, plantedOneIn: 0 };
const references = stubEventLog.map(({ kind, digest }) => ({ kind, digest, label: kind }));

export const reAttestations: Benchmark = {
  name: 're-attestations',
  summary: 'members re-attested in a network of 1,000, each by seven judges, on one core, beside their signature checks alone',
  metric: 'members re-attested',
  run: async ({ rounds, quick, progress }) => {
    const crypto = createNodeCrypto();
    const before = heapBytes();
    const begun = networkOf(MEMBERS, crypto);
    const perRound = quick ? 20 : Math.floor(MEMBERS / rounds);
    const shown = begun.members.slice(0, perRound * rounds).map((member, index) => {
      progress(`evidence ${index + 1} of ${perRound * rounds}`);
      return attestationOf(begun, member);
    });
    const atMoment = grownTo(begun, begun.height + Math.ceil((parameters.slotHeights * 3) / 4));
    let world = atMoment;
    const recorded = recordingChecks(crypto);
    const beside = withCrypto(atMoment, recorded.crypto);
    shown.slice(0, RECORDED).reduce((branch, evidence) => reAttested(branch, evidence), beside);
    let done = 0;
    const { ours, floor } = await inTurns(
      rounds,
      () => {
        const startedAt = process.cpuUsage();
        for (const evidence of shown.slice(done, done + perRound)) world = reAttested(world, evidence);
        done += perRound;
        progress(`${done} members`);
        const { user, system } = process.cpuUsage(startedAt);
        return perRound / ((user + system) / 1e6);
      },
      () => perCpuSecond((index) => void at(recorded.checks, index)(), 500) / (recorded.checks.length / RECORDED),
    );
    const heap = heapBytes() - before;
    const note = `${MEMBERS} seats, ${parameters.judges} judges drawn for each`;
    return [
      {
        status: 'measured',
        metric: `members re-attested, N = ${MEMBERS}`,
        unit: '/s',
        better: 'higher',
        ours,
        floor: { name: `their ${Math.round(recorded.checks.length / RECORDED)} signature checks alone`, samples: floor },
        note: `${note}; per CPU-second of one core that does the work of all judges, and once that of the chain: evidence and verdict in the state; real signatures, without disk and network`,
      },
      {
        status: 'measured',
        metric: `memory of a network of ${MEMBERS} re-attested members`,
        unit: ' MB',
        better: 'lower',
        ours: [heap / 1e6],
        note: `${note}; heap of the state with ${done} verdicts, of the members' keys and of their evidence, without the process`,
      },
    ];
  },
};

function at<T>(items: readonly T[], index: number): T {
  return items[index % items.length] as T;
}

/** At the beginning of a slot for which all of them are seats. */
function networkOf(count: number, crypto: Crypto): Trusting {
  const members = Array.from({ length: count }, (_, index) =>
    memberWith(`member-${index}`, realKeySource(`member-${index}`, `member-${index % VRF_KEYS}`)),
  );
  const founded = withCrypto(foundedBy(members.slice(0, FOUNDERS), parameters), crypto);
  const first = members[0] as StubMember;
  const known = entered(grownTo(founded, 1), voucherOf(founded, first)).state;
  const pattern = known.members.get(hex(first.node));
  if (!pattern) throw new Error('the first founder is no member');
  let { members: records } = known;
  for (const one of members) {
    const keys = pattern.keys.map((known) => ({ ...known, key: keyOf(one).publicKey }));
    records = records.with(hex(one.node), { ...pattern, node: one.node, member: one.member, keys });
  }
  const seats = members.map(({ node }) => node).sort((left, right) => (hex(left) < hex(right) ? -1 : 1));
  const core = { ...known.core, seats, seatsToCome: [{ fromHeight: 1, seats }] };
  return inNextSlot(certified({ ...founded, members, height: 1, state: { ...known, members: records, core } }));
}

function withCrypto(world: Trusting, crypto: Crypto): Trusting {
  return { ...world, context: { ...world.context, crypto } };
}

/** Evidence in a block, judged by all its judges, voted on, and the verdict in a block. */
function reAttested(world: Trusting, attestation: Uint8Array): Trusting {
  const shown = entered(world, attestation);
  const { subject, evidence } = evidenceIn(attestation);
  const about = { subject, slot: drawOf(world).slot, level: 0 };
  const { networkId } = world.context;
  const drawn = judgesOf(networkId, drawOf(world), about, parameters.judges);
  const judges = world.members.filter(({ node }) => drawn.weights.has(hex(node)));
  judges.forEach(() => requireTrusted(shown, subject, evidence));
  const digest = digestOf(evidence);
  const voice = { instance: verdictInstance(networkId, about), value: verdictValue('trusted', digest) };
  const votes = precommitsOf(world, judges, drawn, voice).map(({ ballot, key, envelope }) => ({
    node: ballot.node,
    key,
    signature: signatureOf(envelope),
  }));
  votes.sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
  return entered(shown, encodeTransaction({ kind: 'verdict', ...about, word: 'trusted', evidence: digest, round: 0, votes }));
}

function evidenceIn(attestation: Uint8Array): { readonly subject: Uint8Array; readonly evidence: Uint8Array } {
  const read = decodeTransaction(attestation);
  const signed = read.status === 'decoded' && read.value.kind === 'signed' ? read.value : undefined;
  const action = signed && decodeAction(signed.body);
  if (action?.status !== 'decoded' || action.value.action !== 'attestation') throw new Error('this transaction shows no evidence');
  return { subject: signed?.by ?? new Uint8Array(), evidence: action.value.evidence };
}

function digestOf(evidence: Uint8Array): Uint8Array {
  const decoded = decodeMemberEvidence(evidence);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return memberEvidenceDigest(decoded.value);
}

function requireTrusted(world: Trusting, subject: Uint8Array, evidence: Uint8Array): void {
  const { number, block } = world.state.core.checkpoint;
  const record = world.state.members.get(hex(subject));
  if (!record) throw new Error('the subject is no member');
  const { crypto, networkId: network } = world.context;
  const checkpoint = { checkpointAtMoment: number, checkpointBlock: () => block };
  const said = judgeMemberEvidence(evidence, {
    crypto,
    network,
    member: record.member,
    references,
    atMs: placeOf(world).timeMs,
    ...checkpoint,
  });
  if (said.word !== 'trusted') throw new Error(`good evidence is judged ${said.word}: ${said.reason}, ${said.detail}`);
}

interface Voice {
  readonly instance: Uint8Array;
  readonly value: Uint8Array;
}

/** Each of them hears and checks the ballots of all others. @returns the precommits */
function precommitsOf(world: Trusting, judges: readonly StubMember[], voters: Voters, { instance, value }: Voice): CastBallot[] {
  const machines = judges.map((judge) => ({
    judge,
    state: startDecision({ instance, voters, self: hex(judge.node), baseMs: 1_000, repeatMs: 1_000 }),
  }));
  const said: CastBallot[] = [];
  const tell = ({ judge, state }: (typeof machines)[number], event: Told): void => {
    for (const effect of stepDecision(state, { ...event, nowMs: 0 }))
      if (effect.effect === 'cast') {
        const { round, step } = effect;
        const { publicKey: key, sign } = keyOf(judge);
        const ballot = {
          network: world.context.networkId,
          instance,
          round,
          step,
          node: judge.node,
          ...(effect.value && { value: effect.value }),
        };
        const cast = { ballot, key, envelope: signMessage(VerdictBallotMessage, ballot, sign) };
        said.push(cast);
        tell({ judge, state }, { type: 'ballotReceived', cast });
      }
  };
  for (const machine of machines) tell(machine, { type: 'candidateChosen', value });
  for (let next = 0; next < said.length; next += 1)
    for (const machine of machines)
      if (machine.judge.node !== said[next]?.ballot.node) tell(machine, { type: 'ballotReceived', cast: checked(world, at(said, next)) });
  if (machines.some(({ state }) => !state.decision)) throw new Error('judges with one word decide nothing');
  return said.filter(({ ballot: { step } }) => step === 'precommit');
}

type Told =
  { readonly type: 'candidateChosen'; readonly value: Uint8Array } | { readonly type: 'ballotReceived'; readonly cast: CastBallot };

function checked({ context: { crypto } }: Trusting, { envelope, key }: CastBallot): CastBallot {
  const read = readSigned(VerdictBallotMessage, envelope);
  if (read.status === 'malformed' || !isSignedBy(VerdictBallotMessage, read.value, { algorithm: 'ed25519', publicKey: key }, crypto))
    throw new Error('a good ballot is refused');
  return { ballot: read.value.value, envelope, key };
}

function signatureOf(envelope: Uint8Array): Uint8Array {
  const read = readSigned(VerdictBallotMessage, envelope);
  if (read.status === 'malformed') throw new Error(read.detail);
  return read.value.signature;
}

/**
 * A member whose PCR 14 was changed by hand, on a software TPM, and seven judges of eight other members: how long from the question to its chip
 * until the verdict stands in the state, with the production machine of trust and real signatures. Specification §18; scorecard: PCR change.
 */
import { join } from 'node:path';
import { judgesOf } from '#protocol/chain/judges.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { momentHeight } from '#protocol/chain/trust-slots.ts';
import { hex } from '#protocol/digest.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { startSoftwareTpm } from '../../../device/tpm/swtpm.ts';
import type { TrustEvent } from '../../../device/trust/events.ts';
import { startTrust, stepTrust, type TrustState } from '../../../device/trust/machine.ts';
import type { Benchmark, Row } from '../../../scripts/bench/benchmark.ts';
import { drawn, openSubject, type ShownWhere, type Subject } from '../../../scripts/bench/reattested-member.ts';
import { inTurns, median, percentile } from '../../../scripts/bench/rounds.ts';
import {
  certified,
  drawOf,
  entered,
  foundedBy,
  grownTo,
  inNextSlot,
  keyOf,
  trustOf,
  voucherOf,
  type Trusting,
} from '../../unit/ledger/trust-workshop.ts';
import { realKeySource } from '../real-keys.ts';
import { memberWith, type StubMember } from '../stub-tpm.ts';

const OTHERS = 8;
const parameters = { slotHeights: 48, judges: 7, trustedCheckpoints: 144, plantedOneIn: 0 };

export const votedOut: Benchmark = {
  name: 'voted-out',
  summary: 'a changed PCR found by seven judges and voted on, with swtpm, beside the quote alone',
  metric: 'PCR change voted on',
  run: async ({ rounds, quick, folder }) => {
    const tpm = await startSoftwareTpm({ folder: join(folder, 'voted-out-tpm') });
    const subject = await openSubject({ tcti: tpm.tcti, folder: join(folder, 'voted-out'), crypto: createNodeCrypto() });
    try {
      const stage = await stageFor(subject);
      await subject.changeRegister();
      const times = quick ? 5 : 40;
      const tails: number[] = [];
      const timed = async (work: () => Promise<unknown>): Promise<number[]> => {
        const tookMs: number[] = [];
        for (let time = 0; time < times; time += 1) {
          const begunAtMs = performance.now();
          await work();
          tookMs.push(performance.now() - begunAtMs);
        }
        return tookMs;
      };
      const { ours, floor } = await inTurns(
        rounds,
        async () => {
          const tookMs = await timed(() => votedOn(stage, subject));
          tails.push(percentile(tookMs, 0.99));
          return median(tookMs);
        },
        async () => median(await timed(() => subject.quoteAlone())),
      );
      return rowsOf(ours, tails, floor);
    } finally {
      await subject.close();
      await tpm.kill();
    }
  },
};

function rowsOf(halves: readonly number[], tails: readonly number[], quote: readonly number[]): Row[] {
  const floor = { name: 'the quote of its chip alone', samples: quote };
  const note =
    'from the question to the chip until the verdict is in the state; all seven judges on one core, without network and disk; before it comes the wait for the moment, which is drawn once a slot, after it the next block. Keylime 1.33 to 1.87 s, with its interval of 2 s, by the scorecard';
  const row = (metric: string, ours: readonly number[], text: string, boundMs: number): Row => ({
    ...{ status: 'measured', metric, unit: ' ms', better: 'lower', ours, floor, note },
    target: { text, isMet: (medians) => medians.ours <= boundMs },
  });
  return [
    row('changed PCR voted on by 7 judges, p50', halves, '≤ 300 ms', 300),
    row('changed PCR voted on by 7 judges, p99', tails, '≤ 1 s', 1_000),
  ];
}

/** What judges and subject know before it shows its evidence. */
interface Stage {
  readonly before: Trusting;
  readonly atMoment: Trusting;
  readonly where: ShownWhere;
  readonly moment: Uint8Array;
  readonly judges: readonly StubMember[];
  readonly subject: StubMember;
}

async function stageFor(chip: Subject): Promise<Stage> {
  const others = Array.from({ length: OTHERS }, (_, index) => memberWith(`member-${index}`, realKeySource(`member-${index}`)));
  const [pattern] = others;
  if (!pattern) throw new Error('a member is judged by others');
  const subject = { ...pattern, name: 'subject', node: chip.node, member: chip.member };
  const before = grownTo(networkOf(others, subject, chip), parameters.slotHeights - 1);
  const begun = inNextSlot(before);
  const { seed, slot } = drawOf(begun);
  const { checkpoint } = before.state.core;
  const where = { network: begun.context.networkId, seed, slot, checkpoint };
  const moment = await chip.moment(where);
  const height = momentHeight(vrfOutput(begun.context.crypto, moment), slot, parameters.slotHeights);
  const { weights } = judgesOf(where.network, drawOf(begun), { subject: chip.node, slot, level: 0 }, parameters.judges);
  const judges = others.filter(({ node }) => weights.has(hex(node)));
  return { before, atMoment: grownTo(begun, Math.max(height, begun.height)), where, moment, judges, subject };
}

/** Founded by all of them; what the subject has measured is among the references. */
function networkOf(others: readonly StubMember[], subject: StubMember, { references, operationalKey }: Subject): Trusting {
  const founded = foundedBy([...others, subject], parameters);
  const network = { ...founded.context.network, references: [...references] };
  const context = { ...founded.context, network, crypto: createNodeCrypto() };
  const known = others.reduce((world, member) => entered(world, voucherOf(world, member)), grownTo({ ...founded, context }, 1));
  const { members } = known.state;
  const own = members.get(hex(subject.node));
  const keys = members.get(hex((others[0] as StubMember).node))?.keys.map((one) => ({ ...one, key: operationalKey }));
  if (!own || !keys) throw new Error('a founder is no member');
  return certified({ ...known, state: { ...known.state, members: members.with(hex(subject.node), { ...own, keys }) } });
}

/** Evidence, the words of the judges on it, and the verdict in a block. */
async function votedOn({ before, atMoment, where, moment, judges, subject }: Stage, chip: Subject): Promise<void> {
  const machines = judges.map((judge) => ({ name: judge.name, state: startTrust(setupOf(atMoment, judge)) }));
  for (const { state } of machines) for (const world of [before, atMoment]) step(state, headMoved(world));
  const { transaction } = await chip.evidence(where, moment);
  const said: { readonly from: string; readonly payload: Uint8Array }[] = [];
  for (const { name, state } of machines)
    said.push(...step(state, { type: 'transactionHeard', transaction }).map((payload) => ({ from: name, payload })));
  for (let next = said.shift(); next; next = said.shift())
    for (const { name, state } of machines)
      if (name !== next.from) said.push(...step(state, { type: 'received', ...next }).map((payload) => ({ from: name, payload })));
  const shown = entered(atMoment, transaction);
  const [first] = machines;
  const brought = first && stepTrust(first.state, { ...headMoved({ ...shown, height: shown.height + 1 }), nowMs: performance.now() });
  const verdict = brought?.flatMap((effect) =>
    effect.effect === 'submit' && isVerdict(effect.transaction) ? [effect.transaction] : [],
  )[0];
  if (!verdict) throw new Error('seven judges with one word decide nothing');
  const { word } = trustOf(entered(shown, verdict), subject);
  if (word !== 'untrusted') throw new Error(`a changed register is judged ${word}`);
}

function setupOf({ context: { network, crypto } }: Trusting, judge: StubMember): Parameters<typeof startTrust>[0] {
  const { publicKey: operationalKey, sign } = keyOf(judge);
  const own = { node: judge.node, operationalKey, sign };
  return { network, trust: parameters, crypto, ...own, blockAt: () => undefined, kept: [], votesFromSlot: 0 };
}

function headMoved({ height, state }: Trusting): Extract<News, { type: 'headMoved' }> {
  return { type: 'headMoved', head: { id: drawn(), height, timeMs: 1_700_000_000_000 + 1_000 * height, state } };
}

type News = TrustEvent extends infer Event ? (Event extends TrustEvent ? Omit<Event, 'nowMs'> : never) : never;

/** @returns what it says to the others */
function step(state: TrustState, news: News): Uint8Array[] {
  return stepTrust(state, { ...news, nowMs: performance.now() }).flatMap((effect) =>
    effect.effect === 'broadcast' ? [effect.payload] : [],
  );
}

function isVerdict(transaction: Uint8Array): boolean {
  const read = decodeTransaction(transaction);
  return read.status === 'decoded' && read.value.kind === 'verdict';
}

/**
 * What a member costs those who judge it (specification §18.2 to §18.5), with evidence of a software TPM: one verdict, and the whole of
 * a re-attestation for one of seven judges, beside the bare signature checks that these take; and what it costs the chip. Scorecard: verdicts,
 * re-attestation.
 */
import { join } from 'node:path';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import { startSoftwareTpm } from '../../device/tpm/swtpm.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { JudgeAtWork } from './judge-at-work.ts';
import { createJudges, drawn, judged, JUDGES, openSubject, type Judged, type ShownWhere, type Subject } from './reattested-member.ts';
import { recordingChecks } from './recorded-checks.ts';
import { inTurns, median, perCpuSecond } from './rounds.ts';

/** As many as come one after another; each has signatures of its own. */
const PIECES = 16;

export const reattestation: Benchmark = {
  name: 'reattestation',
  summary: 'a verdict on a member, and a re-attestation by seven judges, per core, beside their bare signature checks; evidence by swtpm',
  metric: 're-attestation',
  run: async ({ rounds, quick, folder }) => {
    const tpm = await startSoftwareTpm({ folder: join(folder, 'reattestation-tpm') });
    const crypto = createNodeCrypto();
    const subject = await openSubject({ tcti: tpm.tcti, folder: join(folder, 'reattestation'), crypto });
    try {
      const judges = createJudges();
      const pieces: Judged[] = [];
      for (const where of placesOf(PIECES))
        pieces.push(judged(subject, judges, await subject.evidence(where, await subject.moment(where))));
      const recorded = recordingChecks(crypto);
      const works = { plain: new JudgeAtWork(crypto, subject, judges), recorded: new JudgeAtWork(recorded.crypto, subject, judges) };
      const timed = async (work: Work): Promise<Turns> => {
        const checks = pieces.map((piece) => {
          recorded.checks.length = 0;
          work(works.recorded, piece);
          return [...recorded.checks];
        });
        return inMs(rounds, quick ? 200 : 700, {
          ours: (index) => work(works.plain, at(pieces, index)),
          floor: (index) => at(checks, index).forEach((check) => check()),
        });
      };
      return [
        verdictRow(await timed((judge, piece) => judge.verdict(piece))),
        wholeRow(await timed((judge, piece) => judge.reattestation(piece))),
        await byChip(subject, rounds, quick ? 5 : 20),
      ];
    } finally {
      await subject.close();
      await tpm.kill();
    }
  },
};

type Work = (judge: JudgeAtWork, piece: Judged) => void;
type Turns = Awaited<ReturnType<typeof inTurns>>;

/** CPU of one piece of work, in ms. */
async function inMs(
  rounds: number,
  durationMs: number,
  { ours, floor }: { readonly ours: (index: number) => void; readonly floor: (index: number) => void },
): Promise<Turns> {
  perCpuSecond(ours, durationMs);
  return inTurns(
    rounds,
    () => 1_000 / perCpuSecond(ours, durationMs),
    () => 1_000 / perCpuSecond(floor, durationMs),
  );
}

function at<T>(items: readonly T[], index: number): T {
  return items[index % items.length] as T;
}

function verdictRow({ ours, floor }: Turns): Row {
  return {
    status: 'measured',
    metric: 'verdict on a member, CPU',
    unit: ' ms',
    better: 'lower',
    ours,
    floor: { name: 'its P-256 check alone', samples: floor },
    target: { text: '≤ 0.25 ms', isMet: (medians) => medians.ours <= 0.25 },
    note: 'evidence read from bytes, quote by swtpm, registers, event log, references; without transport. Keylime 1.0 ms over mTLS, by the scorecard',
  };
}

function wholeRow({ ours, floor }: Turns): Row {
  return {
    status: 'measured',
    metric: `re-attestation, CPU of one judge of ${JUDGES}`,
    unit: ' ms',
    better: 'lower',
    ours,
    floor: { name: 'its 19 signatures and VRF proof alone', samples: floor },
    target: { text: '≤ 1 ms', isMet: (medians) => medians.ours <= 1 },
    note: 'action and moment (VRF) checked, evidence judged, two ballots signed, twelve read and counted, the certificate of a quorum checked; no signature is remembered. Keylime 8.8 ms, by the scorecard',
  };
}

async function byChip(subject: Subject, rounds: number, times: number): Promise<Row> {
  const { ours, floor } = await inTurns(
    rounds,
    () => medianMs(times, async (where) => subject.evidence(where, await subject.moment(where))),
    () => medianMs(times, async () => [await subject.proofAlone(), await subject.quoteAlone()]),
  );
  return {
    status: 'measured',
    metric: 'evidence of oneself, with its moment',
    unit: ' ms',
    better: 'lower',
    ours,
    floor: { name: 'TPM2_Quote and TPM2_RSA_Decrypt alone', samples: floor },
    note: 'time, not CPU; swtpm; a real chip takes 200 ms and more for each of the two',
  };
}

async function medianMs(times: number, work: (where: ShownWhere) => Promise<unknown>): Promise<number> {
  const tookMs: number[] = [];
  for (const where of placesOf(times)) {
    const begunAtMs = performance.now();
    await work(where);
    tookMs.push(performance.now() - begunAtMs);
  }
  return median(tookMs);
}

/** Slots one after the other. */
function placesOf(count: number): ShownWhere[] {
  const [network, seed] = [drawn(), drawn()];
  return Array.from({ length: count }, (_, slot) => ({ network, seed, slot, checkpoint: { number: slot, block: drawn() } }));
}

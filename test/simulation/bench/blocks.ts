/** Blocks judged, and transactions finalised, per second of processor time with real signatures, beside the signature checks alone. */
import { readBlock } from '#protocol/chain/block.ts';
import type { Ledger } from '../../../device/ledger/ledger.ts';
import type { Benchmark, Row } from '../../../scripts/bench/benchmark.ts';
import { recordingChecks } from '../../../scripts/bench/recorded-checks.ts';
import { inTurns, perCpuSecond } from '../../../scripts/bench/rounds.ts';
import { RealChain, type RealBlock } from './real-chain.ts';

export const blocks: Benchmark = {
  name: 'blocks',
  summary: 'blocks with a certificate of four votes and ten submissions judged, per core, beside their signature checks',
  metric: 'blocks judged',
  run: async ({ rounds, quick }) => {
    const chain = beginChain();
    const certificate = chain.certifyTip();
    const made = chain.extend([certificate, ...chain.submissions(10)]);
    const durationMs = quick ? 300 : 1_000;
    return [await firstSight(chain, made, rounds, durationMs), await secondSight(chain, made, rounds, durationMs)];
  },
};

export const transactions: Benchmark = {
  name: 'transactions',
  summary: 'submissions finalised by four members in one process, per core, beside the Ed25519 checks alone',
  metric: 'transactions finalised',
  run: async ({ rounds, quick }) => {
    const blocksARound = quick ? 2 : 4;
    // A chain for each round: it takes so many submissions and no more.
    const measure = (): number => {
      const chain = beginChain();
      const ledgers = chain.members.map(() => chain.ledger());
      const batches = Array.from({ length: blocksARound }, () => chain.submissions(fullBlock));
      const before = process.cpuUsage();
      for (const batch of batches) finalise(chain, ledgers, batch);
      return (blocksARound * fullBlock) / cpuSecondsSince(before);
    };
    const chain = beginChain();
    const signatures = checksOf(chain);
    measure();
    const { ours, floor } = await inTurns(rounds, measure, () => {
      const at = (index: number): (() => unknown) => signatures[index % signatures.length] as () => unknown;
      return perCpuSecond((index) => at(index)(), quick ? 200 : 500) / chain.members.length;
    });
    return [
      {
        status: 'measured',
        metric: 'transactions finalised, 4 members',
        unit: '/s',
        better: 'higher',
        ours,
        floor: { name: 'their Ed25519 checks alone, once a member', samples: floor },
        note: `per CPU-second of one core that does the work of all four: ${fullBlock} submissions a block, each judged for every pool, composed once, each block judged four times, certified by four votes; without disk, network and TPM; signing of submissions left out`,
      },
    ];
  },
};

/** A block with ten submissions judged by a member that has seen those before. */
export function blockCheck(): () => void {
  const chain = beginChain();
  const made = chain.extend([chain.certifyTip(), ...chain.submissions(10)]);
  const ledger = chain.ledger();
  return () => requireGood(ledger, chain, made);
}

/** As many submissions as fit. */
const fullBlock = 500;

function beginChain(): RealChain {
  const chain = new RealChain(4);
  chain.extend(chain.vouchers());
  return chain;
}

/** A block of which no signature was seen before, as whoever catches up meets it. */
async function firstSight(chain: RealChain, made: RealBlock, rounds: number, durationMs: number): Promise<Row> {
  const { checks } = judged(chain, made);
  const judge = (): void => requireGood(chain.ledger(), chain, made);
  perCpuSecond(judge, durationMs / 2);
  const samples = await inTurns(
    rounds,
    () => perCpuSecond(judge, durationMs),
    () => perCpuSecond(() => checks.forEach((check) => check()), durationMs),
  );
  return rowOf('blocks judged, nothing seen before', samples, `its ${checks.length} signature checks`);
}

/** A block whose transactions were in the pool: their signatures are remembered. */
async function secondSight(chain: RealChain, made: RealBlock, rounds: number, durationMs: number): Promise<Row> {
  const ledger = chain.ledger();
  requireGood(ledger, chain, made);
  const { checks } = judged(chain, made);
  const judge = (): void => requireGood(ledger, chain, made);
  perCpuSecond(judge, durationMs / 2);
  const samples = await inTurns(
    rounds,
    () => perCpuSecond(judge, durationMs),
    () => perCpuSecond(() => checks.forEach((check) => check()), durationMs),
  );
  return rowOf('blocks judged, signatures remembered', samples, `its ${checks.length} signature checks`);
}

function rowOf(metric: string, { ours, floor }: { ours: readonly number[]; floor: readonly number[] }, name: string): Row {
  const note = 'per CPU-second, one core: read from bytes, VRF, wait certificates, certificate of four votes, ten submissions, state root';
  return { status: 'measured', metric, unit: '/s', better: 'higher', ours, floor: { name, samples: floor }, note };
}

function requireGood(ledger: Ledger, chain: RealChain, { block, parent }: RealBlock): void {
  const read = readBlock(block.encoded);
  if (read.status === 'malformed') throw new Error(read.detail);
  const verdict = ledger.judgeBlock(read.value, parent, chain.branch);
  if (verdict.status === 'refused') throw new Error(`a good block is refused: ${verdict.reason}, ${verdict.detail}`);
}

function judged(chain: RealChain, made: RealBlock): { readonly checks: readonly (() => unknown)[] } {
  const { crypto, checks } = recordingChecks(chain.crypto);
  requireGood(chain.ledger(crypto), chain, made);
  return { checks };
}

function finalise(chain: RealChain, ledgers: readonly Ledger[], batch: readonly Uint8Array[]): void {
  const [leader] = ledgers;
  if (!leader) throw new Error('a chain takes members');
  const { tip } = chain;
  for (const ledger of ledgers)
    for (const transaction of batch) {
      const verdict = ledger.judgeTransaction(transaction, tip, chain.branch, tip.timeMs);
      if (verdict.status === 'refused') throw new Error(`a good transaction is refused: ${verdict.reason}, ${verdict.detail}`);
    }
  const made = chain.extend([chain.certifyTip(), ...batch], leader);
  for (const ledger of ledgers) requireGood(ledger, chain, made);
}

/** The Ed25519 checks of one block of submissions. */
function checksOf(chain: RealChain): (() => unknown)[] {
  const { crypto, checks } = recordingChecks(chain.crypto);
  const ledger = chain.ledger(crypto);
  const { tip } = chain;
  for (const transaction of chain.submissions(64)) ledger.judgeTransaction(transaction, tip, chain.branch, tip.timeMs);
  return checks;
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

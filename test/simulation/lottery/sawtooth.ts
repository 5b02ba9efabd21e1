/**
 * Sawtooth's PoET (hyperledger/sawtooth-poet, core 2020) as far as a lottery is concerned, to stand beside ours on the same
 * draws: the draw of its simulator, the bootstrap of its mean wait, and the z-test by which it refuses those who win too often.
 */
import { hex } from '#protocol/digest.ts';

export const sawtooth = {
  targetWaitS: 20,
  initialWaitS: 3_000,
  sampleSize: 50,
  winDeviationMax: 3.075,
  winCountMin: 3,
} as const;

/**
 * u of −ln u in the simulated enclave: the signature is hexadecimal text, read as if it were base64; the last 8 bytes of what
 * comes out, little-endian, over 2^64 − 1.
 * @param signature 64 bytes
 */
export function simulatorUniform(signature: Uint8Array): number {
  const decoded = Buffer.from(hex(signature), 'base64');
  return Number(decoded.readBigUInt64LE(decoded.length - 8)) / (2 ** 64 - 1);
}

/** Seconds; the first 50 blocks blend the target with the initial wait, later ones multiply it by the estimated population. */
export function localMeanS(blocks: number, population: number): number {
  if (blocks >= sawtooth.sampleSize) return sawtooth.targetWaitS * population;
  const ratio = blocks / sawtooth.sampleSize;
  return sawtooth.targetWaitS * (1 - ratio * ratio) + sawtooth.initialWaitS * ratio * ratio;
}

/** Mean seconds until `count` blocks are there: of n waits with the local mean the shortest takes a share of 1/n of it, and 1 s. */
export function bootstrapS(nodes: number, count: number): number {
  return Array.from({ length: count }, (_, blocks) => 1 + localMeanS(blocks, nodes) / nodes).reduce((sum, wait) => sum + wait, 0);
}

/** Estimate of the population from the last 50 certificates. */
export function populationEstimate(certificates: readonly { readonly localMean: number; readonly duration: number }[]): number {
  const last = certificates.slice(-sawtooth.sampleSize);
  const sum = (of: (certificate: { localMean: number; duration: number }) => number): number =>
    last.reduce((total, certificate) => total + of(certificate), 0);
  return sum(({ localMean }) => localMean) / sum(({ duration }) => duration - 1);
}

/** Who won which blocks, and how many wins each node was to be expected to have. */
export interface SawtoothHistory {
  /** Expected wins of one node in the blocks 0 to n − 1, at n. */
  readonly expectedBefore: number[];
  /** Block numbers won by each node, rising. */
  readonly winsOf: readonly number[][];
}

export function emptyHistory(nodes: number): SawtoothHistory {
  return { expectedBefore: [0], winsOf: Array.from({ length: nodes }, () => []) };
}

/** Appends a block. @param population estimate that counted for it */
export function appendWin({ expectedBefore, winsOf }: SawtoothHistory, winner: number, population: number): void {
  winsOf[winner]?.push(expectedBefore.length - 1);
  expectedBefore.push((expectedBefore.at(-1) ?? 0) + 1 / population);
}

/**
 * The z-test: whether the next block by this node is refused. It walks from the candidate to the oldest block and looks at
 * each of the node's wins.
 */
export function refusesWinner({ expectedBefore, winsOf }: SawtoothHistory, node: number, population: number): boolean {
  const blocks = expectedBefore.length - 1;
  if (blocks < sawtooth.sampleSize) return false;
  const wins = winsOf[node] ?? [];
  const expectedToHead = (expectedBefore[blocks] ?? 0) + 1 / population;
  // The candidate itself is the first win that the walk meets.
  for (let met = 1; met <= wins.length; met += 1) {
    const observed = met + 1;
    const from = wins[wins.length - met] ?? 0;
    if (deviates(observed, expectedToHead - (expectedBefore[from] ?? 0), blocks + 1 - from)) return true;
  }
  return false;
}

function deviates(observed: number, expected: number, blocks: number): boolean {
  if (observed <= sawtooth.winCountMin || observed <= expected) return false;
  const chance = expected / blocks;
  return (observed - expected) / Math.sqrt(blocks * chance * (1 - chance)) > sawtooth.winDeviationMax;
}

export interface ZTestRun {
  readonly nodes: number;
  /** The first nodes are forged: they win whenever the test lets them. */
  readonly forged: number;
  readonly heights: number;
  /** Nodes at a height in the order of their waits: of honest ones the shortest wait wins unless refused. */
  readonly orderAt: (height: number) => readonly number[];
}

export interface ZTestOutcome {
  readonly forgedWins: number;
  /** Of honest nodes that came first. */
  readonly tries: number;
  readonly refused: number;
  /** By height: nodes that had been refused at least once. */
  readonly accusedBy: readonly number[];
}

/** A network under the z-test, with the exact population as its estimate. */
export function runZTest({ nodes, forged, heights, orderAt }: ZTestRun): ZTestOutcome {
  const history = emptyHistory(nodes);
  const accused = new Set<number>();
  const accusedBy: number[] = [];
  let [forgedWins, tries, refused] = [0, 0, 0];
  for (let height = 0; height < heights; height += 1) {
    const order = orderAt(height);
    let winner = nextForger(history, forged, nodes, height);
    if (winner === undefined) {
      for (const node of order) {
        if (node < forged) continue;
        tries += 1;
        if (!refusesWinner(history, node, nodes)) {
          winner = node;
          break;
        }
        refused += 1;
        accused.add(node);
      }
    } else forgedWins += 1;
    appendWin(history, winner ?? order[0] ?? 0, nodes);
    accusedBy.push(accused.size);
  }
  return { forgedWins, tries, refused, accusedBy };
}

/** Forgers take turns, so that none of them is conspicuous. */
function nextForger(history: SawtoothHistory, forged: number, population: number, height: number): number | undefined {
  for (let turn = 0; turn < forged; turn += 1) {
    const node = (height + turn) % forged;
    if (!refusesWinner(history, node, population)) return node;
  }
  return undefined;
}

/**
 * What anchors cost on layer 1: gas of the one transaction that posts an epoch and marks the last one final, as anvil's receipts say, beside what forge
 * measures of the same contract; and what follows for each node and day with an anchor an hour. Specification §20.3; scorecard: gas rows.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { planDeployment, type DeploymentTerms } from '#contracts/deployment.ts';
import { FACTORY } from '#contracts/planned-contract.ts';
import { blobDigest, hex, uint64 } from '#protocol/digest.ts';
import { anchorQuorum, placesOf } from '#protocol/layer1/anchor-committee.ts';
import { anchorDigest, NO_ANCHOR, type AnchorHeader, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import { postCall } from '../../device/layer1/anchors-contract.ts';
import { fieldOf, readCount } from '../../device/layer1/answers.ts';
import { JsonRpc } from '../../device/layer1/json-rpc.ts';
import { startAnvil } from '../layer1/anvil.ts';
import { BENCH } from '../layer1/terms.ts';
import type { Benchmark, Row } from './benchmark.ts';

const NODES = [10, 1_000, 10_000, 1_000_000];
const EPOCHS_A_DAY = 24;
/** The contract uses its slots again after this many posts: from then on an epoch costs what it costs for the network's life. */
const POSTS_BEFORE = 33;
const CHAIN_ID = 31_337;
/** Version of a chip's own firmware, as swtpm says its. */
const FIRMWARE = Uint8Array.fromHex('2024012500120000');
/** anvil makes a block for each transaction, a moment later. */
const RECEIPT_ASKS = 500;
const RECEIPT_EVERY_MS = 10;
/** A node and day at 10,000 nodes. */
const TARGET_GAS = 1_100;

export const layer1Gas: Benchmark = {
  name: 'layer1',
  summary: 'gas of an anchor as receipts of anvil have it, and of each node and day at 10 to 10⁶ nodes, beside contracts/snapshots',
  metric: 'gas of an anchor',
  run: async ({ rounds, progress }) => {
    const rows: Row[] = [];
    for (const hardfork of ['osaka', 'shanghai']) {
      for (const seats of NODES) {
        progress(`${seats} nodes, ${hardfork}`);
        rows.push(...rowsOf({ hardfork, seats, gas: await gasOfEpochs(hardfork, seats, rounds) }));
      }
    }
    return rows;
  },
};

interface Posted {
  readonly hardfork: string;
  readonly seats: number;
  /** Of so many posts, one a round. */
  readonly gas: readonly number[];
}

function rowsOf({ hardfork, seats, gas }: Posted): Row[] {
  const places = placesOf(seats);
  const known = snapshotOf(hardfork)[places === 10 ? 'epoch, 10 seats' : 'epoch, 128 places'];
  const what = `${seats.toLocaleString('en')} nodes, ${hardfork}`;
  const base = { status: 'measured', better: 'lower' } as const;
  const isTarget = seats === 10_000;
  return [
    {
      ...base,
      ...{
        metric: `anchor of ${what}`,
        unit: ' gas',
        ours: gas,
        note: `${anchorQuorum(seats)} votes; a receipt's gasUsed, calldata included`,
      },
      ...(known !== undefined && { floor: { name: 'contracts/snapshots', samples: gas.map(() => known) } }),
    },
    {
      ...base,
      ...{ metric: `a node and day, ${what}`, unit: ' gas', ours: gas.map((used) => (used * EPOCHS_A_DAY) / seats) },
      note: `${EPOCHS_A_DAY} anchors a day, whoever pays, shared by all nodes`,
      ...(isTarget && { target: { text: `≤ ${TARGET_GAS}`, isMet: ({ ours }) => ours <= TARGET_GAS } }),
    },
  ];
}

function snapshotOf(hardfork: string): Readonly<Record<string, number | undefined>> {
  const file = new URL(`../../contracts/snapshots/${hardfork}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
}

/** Votes are judged when they are challenged alone, so made-up ones cost what good ones do. */
async function gasOfEpochs(hardfork: string, seats: number, rounds: number): Promise<number[]> {
  const anvil = await startAnvil({ hardfork, chainId: CHAIN_ID });
  const rpc = new JsonRpc(anvil.url);
  try {
    const ask = async (method: string, ...params: unknown[]): Promise<unknown> => {
      const answer = await rpc.ask(method, params);
      if (answer.status !== 'answered') throw new Error(`${method}: ${answer.status === 'refused' ? answer.words : answer.why}`);
      return answer.value;
    };
    const [account] = (await ask('eth_accounts')) as string[];
    const send = async (to: Uint8Array, data: Uint8Array, value: bigint): Promise<number> => {
      const call = { from: account, to: `0x${hex(to)}`, data: `0x${hex(data)}`, value: `0x${value.toString(16)}`, gas: '0xf00000' };
      const hash = await ask('eth_sendTransaction', call);
      let receipt: unknown = null;
      for (let asked = 0; receipt === null && asked < RECEIPT_ASKS; asked += 1) {
        if (asked > 0) await pause(RECEIPT_EVERY_MS);
        receipt = await ask('eth_getTransactionReceipt', hash);
      }
      const used = readCount(fieldOf(receipt, 'gasUsed'));
      if (fieldOf(receipt, 'status') !== '0x1' || used === undefined) throw new Error('a transaction of the bench failed');
      return used;
    };
    const terms = termsOf(seats);
    const planned = planDeployment(terms);
    for (const { data } of planned) await send(FACTORY, data, 0n);
    const anchors = planned.find(({ name }) => name === 'anchors')?.address ?? new Uint8Array();
    const place = { network: terms.networkId, chainId: CHAIN_ID, anchors };
    const posts = { place, seats, send, pass: () => ask('evm_increaseTime', '0x3') };
    return (await postEpochs(posts, POSTS_BEFORE + rounds)).slice(POSTS_BEFORE);
  } finally {
    rpc.close();
    await anvil.stop();
  }
}

interface Posts {
  readonly place: AnchorPlace;
  readonly seats: number;
  readonly send: (to: Uint8Array, data: Uint8Array, value: bigint) => Promise<number>;
  /** A window goes by. */
  readonly pass: () => Promise<unknown>;
}

async function postEpochs({ place, seats, send, pass }: Posts, count: number): Promise<number[]> {
  const quorum = anchorQuorum(seats);
  const gas: number[] = [];
  let previous = anchorDigest(place, headerAt(0, seats, NO_ANCHOR));
  for (let epoch = 1; epoch <= count; epoch += 1) {
    await pass();
    const header = headerAt(epoch, seats, previous);
    const votes = { round: 0, voters: (1n << BigInt(quorum)) - 1n, votes: concatBytes(...Array.from({ length: quorum }, madeUpVote)) };
    gas.push(await send(place.anchors, postCall(header, votes), BENCH.anchors.bond));
    previous = anchorDigest(place, header);
  }
  return gas;
}

/** As many zero bytes as a chip's has, which cost less: a random signature, counters of a chip that has run for weeks. */
function madeUpVote(): Uint8Array {
  const [clock, time] = [uint64(2_000_000_000 + randomInt(100_000_000)), uint64(1_000_000_000 + randomInt(100_000_000))];
  const counts = Uint8Array.of(0, 0, 0, 7, 0, 0, 0, 3, 1);
  return concatBytes(randomBytes(64), clock, counts, FIRMWARE, time, clock);
}

function headerAt(epoch: number, seats: number, previous: Uint8Array): AnchorHeader {
  const word = (index: number): Uint8Array => blobDigest(uint64(epoch * 8 + index));
  const roots = { membersRoot: word(1), verdictsRoot: word(2), creditsRoot: word(3) };
  const moment = { epoch, checkpoint: epoch * 180, height: epoch * 180, blockId: word(0), timeMs: epoch * 3_600_000, seed: word(4) };
  return { ...moment, ...roots, members: seats, seats, previous };
}

function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function termsOf(seats: number): DeploymentTerms {
  const { epoch, checkpoint, height, timeMs, ...rest } = headerAt(0, seats, NO_ANCHOR);
  const counts = { epoch: BigInt(epoch), checkpoint: BigInt(checkpoint), height: BigInt(height), timeMs: BigInt(timeMs) };
  const founders = { ...rest, ...counts, members: BigInt(seats), seats: BigInt(seats) };
  const keeper = new Uint8Array(20).fill(0x11);
  return { ...BENCH, networkId: blobDigest(uint64(seats)), owner: keeper, guardian: keeper, founders, judges: 7n };
}

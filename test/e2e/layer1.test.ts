/**
 * A network on two chains of layer 1 at once: one of today, and one of an old hardfork, without the P-256 precompile and with a constant PREVRANDAO.
 * What the contracts say is read by ethers, without any of our own code. Specification §20.3, §20.8, §20.9.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Contract, JsonRpcProvider } from 'ethers';
import { abi } from '#contracts/generated/anchors.ts';
import { networkId } from '#protocol/network.ts';
import { capsuleInMemory } from '../../scripts/client/capsule-in-memory.ts';
import { startGrid } from '../../scripts/grid/grid.ts';
import { GRID_CHAIN, type GridChain } from '../../scripts/grid/layer1.ts';
import { readNetworkFile } from '../../scripts/grid/network.ts';
import { hasAnvil } from '../../scripts/layer1/anvil.ts';
import { proxyFor } from '../integration/layer1/chains.ts';
import { openWorld, type World } from './world.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const OLD = 20;
const NEW = 21;
const ONE_EPOCH_MS = 9_000;
const WAIT_MS = 90_000;

const closing: (() => void)[] = [];
const chains: readonly GridChain[] = [
  GRID_CHAIN,
  {
    chainId: OLD,
    hardfork: 'shanghai',
    endpointOf: (url) =>
      proxyFor({ after: (close) => closing.push(close) }, url, (method, result) =>
        method === 'eth_getBlockByNumber' && result !== null ? { ...(result as object), mixHash: `0x${'00'.repeat(32)}` } : result,
      ),
  },
];

let world: World;
before(async () => {
  if (!skip) world = await openWorld(chains);
});
after(async () => {
  if (!skip) await world.stop();
  for (const close of closing) close();
});

test(
  'a capsule runs, and its epoch is posted and final on both chains, each with an anchor of its own (§20.2, §20.3)',
  { skip },
  async () => {
    await runCapsule('with layer 1');
    const posted = await Promise.all([GRID_CHAIN.chainId, OLD].map((chainId) => untilFinal(chainId, 1)));
    assert.ok(posted.every(({ final }) => final >= 1n));
    const [first, second] = await Promise.all([GRID_CHAIN.chainId, OLD].map((chainId) => contractOn(chainId, (one) => one.anchorOf(1))));
    assert.match(first as string, /^0x(?!0{64})[0-9a-f]{64}$/);
    assert.notEqual(first, second, 'a vote for one chain counts on no other');
    const network = await contractOn(OLD, (one) => one.network());
    assert.equal(network, `0x${networkId(world.grid.network).toHex()}`);
    const status = await world.run('layer1', 'status');
    assert.equal(status.status, 0, status.stderr);
    assert.match(status.stdout, /chain 31337 .*\n +contract .*\n +posted +epoch \d+.*\n +final +epoch [1-9]/);
    for (const { name } of world.grid.devices)
      assert.match(status.stdout, new RegExp(` ${name} +0x[0-9a-f]{40} +\\d[\\d.]* coin +\\d[\\d.]* coin left today`));
  },
);

test(
  'with a chain gone, blocks and capsules go on, and what was not posted meanwhile is posted when it is back (§20.8)',
  { skip },
  async () => {
    const before = await anchorsOn(GRID_CHAIN.chainId);
    const back = holdBack();
    await runCapsule('without a chain');
    const height = await heightNow();
    await sleep(3 * ONE_EPOCH_MS);
    assert.ok((await heightNow()) > height + 10, 'the network stood still without layer 1');
    await assert.rejects(anchorsOn(GRID_CHAIN.chainId), 'the chain was there all the time');
    back();
    const { tip, final } = await untilFinal(GRID_CHAIN.chainId, Number(before.tip) + 3);
    assert.ok(tip >= final && final >= before.tip + 3n);
    assert.ok(world.ends.includes(`chain ${GRID_CHAIN.chainId}`), world.ends.join());
  },
);

test(
  'a grid that is started again goes on with its contracts, and serves a chain that is new in its network file (§4.5)',
  { skip },
  async () => {
    const [modern, old] = readNetworkFile(world.grid.layout.networkFile)?.layer1 ?? [];
    const stood = await anchorsOn(GRID_CHAIN.chainId);
    await world.grid.stop();
    const silent = { onStep: () => undefined, onEnd: () => undefined, onNotice: () => undefined };
    const again = await startGrid({ stateFolder: world.state, chains: [GRID_CHAIN, { chainId: NEW, hardfork: 'shanghai' }], ...silent });
    try {
      const entries = again.layer1?.network.layer1 ?? [];
      assert.deepEqual(
        entries.map(({ chainId }) => chainId),
        [GRID_CHAIN.chainId, NEW, OLD],
      );
      assert.deepEqual([entries[0]?.anchors, entries[2]], [modern?.anchors, old], 'a chain that is not run here stays as it is');
      const [{ final }] = await Promise.all([untilFinal(GRID_CHAIN.chainId, Number(stood.tip) + 1), untilFinal(NEW, Number(stood.tip))]);
      assert.ok(final > stood.tip);
    } finally {
      await again.stop();
    }
  },
);

/** Kills the first chain again and again, as soon as it is started. @returns lets it come back */
function holdBack(): () => void {
  const chain = world.grid.layer1?.chains.find(({ chainId }) => chainId === GRID_CHAIN.chainId);
  const timer = setInterval(() => {
    const id = chain?.supervisor.processId;
    try {
      if (id !== undefined) process.kill(id, 'SIGKILL');
    } catch {
      // It is gone already, and its supervisor has not started the next one yet.
    }
  }, 20);
  return () => clearInterval(timer);
}

async function runCapsule(words: string): Promise<void> {
  const client = await world.client();
  const written = { capsule: 1, runtime: 'shell', entry: 'main.sh', limits: { wallSeconds: 60 } } as const;
  const { capsule } = await client.submit(capsuleInMemory(written, { 'main.sh': new TextEncoder().encode(`echo ${words}\n`) }, Date.now()));
  const { state, reason, detail } = await client.result(capsule);
  assert.equal(state, 'agreed', `${reason ?? ''} ${detail ?? ''}`);
  assert.equal((await client.finality(capsule, WAIT_MS))?.finality, 'final');
}

async function heightNow(): Promise<number> {
  const { stdout } = await world.run('chain', 'block', 'final', '--json');
  return (JSON.parse(stdout) as { block: { height: number } }).block.height;
}

async function untilFinal(chainId: number, epoch: number): Promise<{ readonly tip: bigint; readonly final: bigint }> {
  const untilMs = performance.now() + WAIT_MS;
  let stood = 'the chain was away';
  while (performance.now() < untilMs) {
    const seen = await anchorsOn(chainId).catch(() => undefined);
    if (seen) stood = `epoch ${seen.tip} is posted, ${seen.final} final`;
    if (seen && seen.final >= BigInt(epoch)) return seen;
    await sleep(500);
  }
  return assert.fail(`epoch ${epoch} is not final on chain ${chainId} after ${WAIT_MS} ms: ${stood}`);
}

async function anchorsOn(chainId: number): Promise<{ readonly tip: bigint; readonly final: bigint }> {
  const [tip, final] = await contractOn(chainId, async (one) => [(await one.tip()).epoch, await one.lastFinal()] as const);
  return { tip, final };
}

interface Anchors {
  network(): Promise<string>;
  anchorOf(epoch: number): Promise<string>;
  tip(): Promise<{ readonly epoch: bigint }>;
  lastFinal(): Promise<bigint>;
}

/** Asks the contract that the network file names. @throws Error where the chain is away */
async function contractOn<T>(chainId: number, ask: (contract: Anchors) => Promise<T>): Promise<T> {
  const entry = readNetworkFile(world.grid.layout.networkFile)?.layer1?.find((one) => one.chainId === chainId);
  assert.ok(entry);
  const provider = new JsonRpcProvider(entry.endpoints[0], chainId, { staticNetwork: true });
  try {
    return await ask(new Contract(`0x${entry.anchors.toHex()}`, abi, provider) as unknown as Anchors);
  } finally {
    provider.destroy();
  }
}

/** Endpoints of a chain are compared, and what a chain can is found out; on anvil. Specification §20.8. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test, type TestContext } from 'node:test';
import { describeChain } from '../../../device/layer1/probe.ts';
import { probeChain } from '../../../device/layer1/probing.ts';
import { JsonRpc } from '../../../device/layer1/json-rpc.ts';
import { LAYER1_LIMITS } from '../../../device/layer1/limits.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { chainFor, endpointsFor, listening, proxyFor } from './chains.ts';

const skip = !hasAnvil() && 'no anvil on this machine';

function hostOf(url: string): string {
  return new URL(url).host;
}

test('endpoints that have the same block agree on it (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  await chain.rpc('anvil_mine', '0x3');
  const head = await endpointsFor(t, [chain.url, await proxyFor(t, chain.url, (_, result) => result)]).head();
  assert.equal(head.status === 'agreed' && head.value.number, 3);
});

test('an endpoint with another block is told with what it said, and nobody is outvoted (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const false32 = `0x${'ab'.repeat(32)}`;
  const liar = await proxyFor(t, chain.url, (method, result) =>
    method === 'eth_getBlockByNumber' ? { ...(result as object), hash: false32 } : result,
  );
  const honest = [chain.url, chain.url.replace('127.0.0.1', 'localhost')];
  const head = await endpointsFor(t, [...honest, liar]).head();
  const said = head.status === 'differ' ? head.said : [];
  assert.deepEqual(
    said.map(({ by }) => by),
    [honest.map(hostOf), [hostOf(liar)]],
  );
  assert.ok(said[1]?.words.includes('ab'.repeat(32)));
});

test('an endpoint that lags by some blocks is waited for; one that is of another time differs (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  await chain.rpc('anvil_mine', '0x64');
  let number = 98;
  const lagging = await proxyFor(t, chain.url, (method, result) => (method === 'eth_blockNumber' ? `0x${number.toString(16)}` : result));
  const endpoints = endpointsFor(t, [chain.url, lagging]);
  const near = await endpoints.head();
  assert.equal(near.status === 'agreed' && near.value.number, 98);
  number = 100 - LAYER1_LIMITS.headsApartMax - 1;
  assert.equal((await endpoints.head()).status, 'differ');
});

test('an endpoint of another chain counts as away, and is named (§20.8)', { skip }, async (t) => {
  const [chain, other] = [await chainFor(t), await chainFor(t, { chainId: 4_242 })];
  const head = await endpointsFor(t, [chain.url, other.url]).head();
  assert.equal(head.status, 'agreed');
  assert.deepEqual(head.away, [{ endpoint: hostOf(other.url), why: 'it serves chain 4242, not 31337' }]);
  assert.equal((await endpointsFor(t, [other.url]).head()).status, 'away');
});

test('with fewer than half of the endpoints nothing is told (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const nobody = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
  assert.equal((await endpointsFor(t, [chain.url, nobody[0] ?? '']).head()).status, 'agreed');
  assert.equal((await endpointsFor(t, [chain.url, ...nobody]).head()).status, 'away');
});

const foul: readonly (readonly [string, string | undefined, RegExp])[] = [
  ['no JSON', '<html>', /JSON/],
  ['the answer to another question', '{"jsonrpc":"2.0","id":77,"result":"0x1"}', /another question/],
  ['an answer without end', 'x'.repeat(LAYER1_LIMITS.answerBytesMax + 1), /longer than 1048576 bytes/],
  ['nothing', undefined, /no answer within 200 ms/],
];
for (const [what, body, why] of foul) {
  test(`an endpoint that says ${what} is away (§20.8)`, async (t) => {
    const rpc = new JsonRpc(await saying(t, body), 200);
    t.after(() => rpc.close());
    const answer = await rpc.ask('eth_chainId', []);
    assert.match(answer.status === 'away' ? answer.why : '', why);
  });
}

test(
  'two chains at once are told apart by what they can: one of osaka, one of shanghai with a constant PREVRANDAO (§20.8)',
  { skip },
  async (t) => {
    const [modern, old] = [await chainFor(t), await chainFor(t, { hardfork: 'shanghai', chainId: 20 })];
    for (const chain of [modern, old]) await chain.rpc('anvil_mine', '0x5');
    const constant = await proxyFor(t, old.url, (method, result) =>
      method === 'eth_getBlockByNumber' && result !== null ? { ...(result as object), mixHash: `0x${'00'.repeat(32)}` } : result,
    );
    const [first, second] = await Promise.all([probeChain(endpointsFor(t, [modern.url])), probeChain(endpointsFor(t, [constant], 20))]);
    const needed = { push0: 'yes', sha256: 'yes', modexp: 'yes', lacking: [], fees: 'base-fee', finality: 'tag' };
    assert.deepEqual(first, { ...needed, chainId: 31_337, p256: 'yes', tload: 'yes', mcopy: 'yes', blobs: 'yes', prevrandao: 'changes' });
    assert.deepEqual(second, { ...needed, chainId: 20, p256: 'no', tload: 'no', mcopy: 'no', blobs: 'no', prevrandao: 'constant' });
    assert.ok(describeChain(second).some(([what, how]) => what === 'P-256, 0x100' && how === 'no'));
  },
);

test('a chain older than shanghai is not usable, and has legacy fees (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t, { hardfork: 'istanbul' });
  const { lacking, fees } = await probeChain(endpointsFor(t, [chain.url]));
  assert.deepEqual([lacking, fees], [['PUSH0 (shanghai): no'], 'legacy']);
});

test('what takes a bad signature at 0x100 is not used, and what endpoints differ about is unknown (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t, { hardfork: 'shanghai' });
  const one = `0x${'01'.padStart(64, '0')}`;
  const naive = await proxyFor(t, chain.url, (method, result) => (method === 'eth_call' && result === '0x' ? one : result));
  const alone = await probeChain(endpointsFor(t, [naive]));
  assert.deepEqual([alone.p256, alone.lacking], ['misjudges', ['what stands at 0x100 takes bad signatures']]);
  assert.equal((await probeChain(endpointsFor(t, [chain.url, naive]))).p256, 'unknown');
});

test('a chain that names nothing as final is final by depth (§20.8)', { skip }, async (t) => {
  const chain = await chainFor(t);
  const silent = await proxyFor(t, chain.url, (method, result) => (method === 'eth_getBlockByNumber' ? null : result));
  assert.equal((await probeChain(endpointsFor(t, [silent]))).finality, 'depth');
});

/** An endpoint that always says `body`, or nothing. */
async function saying(context: TestContext, body: string | undefined): Promise<string> {
  const server = createServer((_, answer) => {
    if (body !== undefined) answer.end(body);
  });
  return listening(context, server);
}

/** A chain that is kept on one machine outlives its process, and what it called final. On anvil. Specification §20.8. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBlock, readQuantity } from '../../../device/layer1/answers.ts';
import { JsonRpc } from '../../../device/layer1/json-rpc.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { keepChain, type KeptChain, type KeptChainRequest } from '../../../scripts/layer1/kept-chain.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const somebody = new Uint8Array(20).fill(7);
const account = `0x${somebody.toHex()}`;

test('a chain that is killed comes back at its address with what was final (§20.8)', { skip }, async (t) => {
  const ends: string[] = [];
  const { kept } = placeFor(t);
  const chain = await kept({ onEnd: (name, how) => ends.push(`${name}: ${how}`) });
  await chain.fund(somebody, 10n ** 18n);
  await sleep(11_000); // blocks are final after 8 s here
  const final = readBlock(await asked(chain, 'eth_getBlockByNumber', 'finalized', false));
  assert.ok(final && final.number > 0, 'no block is final yet');
  process.kill(chain.supervisor.processId ?? assert.fail('it has no process'), 'SIGKILL');
  await answering(chain);
  const again = readBlock(await asked(chain, 'eth_getBlockByNumber', `0x${final.number.toString(16)}`, false));
  assert.deepEqual(again, final);
  assert.equal(readQuantity(await asked(chain, 'eth_getBalance', account, 'latest')), 10n ** 18n);
  assert.deepEqual(ends, ['chain 31337: signal SIGKILL']);
});

test('a chain that is stopped goes on in another process, at the port that it had (§20.8)', { skip }, async (t) => {
  const { kept } = placeFor(t);
  const first = await kept();
  await first.fund(somebody, 5n);
  await first.mine();
  await first.stop();
  const second = await kept({ portBefore: Number(new URL(first.url).port) });
  assert.equal(second.url, first.url);
  assert.equal(readQuantity(await asked(second, 'eth_getBalance', account, 'latest')), 5n);
  await second.fund(somebody, 4n);
  assert.equal(readQuantity(await asked(second, 'eth_getBalance', account, 'latest')), 5n, 'nothing is taken from who has more');
});

/** A folder whose chains are stopped before it goes. */
function placeFor(context: TestContext): { readonly kept: (wanted?: Partial<KeptChainRequest>) => Promise<KeptChain> } {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-kept-chain-'));
  const chains: KeptChain[] = [];
  context.after(async () => {
    for (const chain of chains) await chain.stop();
    rmSync(folder, { recursive: true });
  });
  return {
    kept: async (wanted) => {
      const chain = await keepChain({
        ...{ chainId: 31_337, hardfork: 'osaka', folder, logFile: join(folder, 'log'), processIdFile: join(folder, 'pid') },
        onEnd: (name, how) => assert.fail(`${name} ended: ${how}`),
        onNotice: (words) => assert.fail(words),
        ...wanted,
      });
      chains.push(chain);
      return chain;
    },
  };
}

async function asked(chain: KeptChain, method: string, ...params: unknown[]): Promise<unknown> {
  const rpc = new JsonRpc(chain.url);
  const answer = await rpc.ask(method, params);
  rpc.close();
  return answer.status === 'answered' ? answer.value : undefined;
}

async function answering(chain: KeptChain): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if ((await asked(chain, 'eth_chainId')) !== undefined) return;
    await sleep(50);
  }
  assert.fail('it does not answer');
}

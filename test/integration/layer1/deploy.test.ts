/** A network's contracts come to a chain once, at addresses that follow from the network. On anvil of two hardforks. Specification §20, §20.8. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { deployContracts } from '../../../scripts/layer1/deploy.ts';
import { hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { chainFor, endpointsFor, folderFor, senderFor, termsOf } from './chains.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const terms = termsOf(new Uint8Array(32).fill(9));

test('contracts are deployed once, at the same addresses on every chain (§20)', { skip }, async (t) => {
  const addresses: string[][] = [];
  for (const hardfork of ['osaka', 'shanghai']) {
    const chain = await chainFor(t, { hardfork, blockTimeS: 1 });
    const endpoints = endpointsFor(t, [chain.url]);
    const { sender } = senderFor(t, { endpoints, file: join(folderFor(t), 'a'), secret: chain.key });
    const lines: string[] = [];
    const deployment = { endpoints, sender, terms, say: (line: string) => lines.push(line), lookMs: 100 };
    const mining = setInterval(() => void chain.rpc('evm_mine').catch(() => undefined), 200);
    const first = await deployContracts(deployment).finally(() => clearInterval(mining));
    const made = lines.splice(0);
    assert.equal(made.filter((line) => line.endsWith(': final')).length, 6, made.join('\n'));
    const nonce = await chain.rpc('eth_getTransactionCount', `0x${(await accountOf(chain)).slice(2)}`, 'latest');
    const second = await deployContracts(deployment);
    assert.deepEqual([second, lines.length], [first, 6]);
    assert.ok(lines.every((line) => / is at 0x[0-9a-f]{40}$/.test(line)));
    assert.equal(await chain.rpc('eth_getTransactionCount', await accountOf(chain), 'latest'), nonce);
    addresses.push(first.map(({ address }) => address.toHex()));
  }
  assert.deepEqual(addresses[0], addresses[1]);
});

test('a chain without the factory is told, before anything is sent (§20)', { skip }, async (t) => {
  const chain = await chainFor(t);
  await chain.rpc('anvil_setCode', '0x4e59b44847b379578588920ca78fbf26c0b4956c', '0x');
  const endpoints = endpointsFor(t, [chain.url]);
  const { sender } = senderFor(t, { endpoints, file: join(folderFor(t), 'a'), secret: chain.key });
  await assert.rejects(deployContracts({ endpoints, sender, terms, say: () => undefined, lookMs: 100 }), /has no factory at 0x4e59/);
});

async function accountOf(chain: { rpc(method: string): Promise<unknown> }): Promise<string> {
  const [account] = (await chain.rpc('eth_accounts')) as string[];
  return account ?? '';
}

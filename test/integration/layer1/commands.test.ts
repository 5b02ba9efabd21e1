/** `npm run layer1 -- deploy`, as an operator types it: what it would cost, what speaks against it, and done once. On anvil. Specification §20, §4.5. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { planDeployment } from '#contracts/deployment.ts';
import { decodeNetwork, encodeNetwork, type Layer1Chain, type Network } from '#protocol/network.ts';
import { creationGasMost } from '../../../scripts/layer1/amounts.ts';
import { ANVIL_KEY, hasAnvil } from '../../../scripts/layer1/anvil.ts';
import { addressOfAnchors } from '../../../scripts/layer1/deploy.ts';
import { LASTING, termsFor } from '../../../scripts/layer1/terms.ts';
import { ran, type Ran } from '../../e2e/world.ts';
import { network as sample } from '../../unit/protocol/workshop.ts';
import { chainFor, folderFor, type Chain } from './chains.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const program = fileURLToPath(new URL('../../../scripts/layer1.ts', import.meta.url));
const keepers = { owner: new Uint8Array(20).fill(0x11), guardian: new Uint8Array(20).fill(0x22) };
const network: Network = { ...sample, genesis: { ...sample.genesis, anchorHeights: 8 } };
const terms = termsFor(network, keepers, LASTING);
const account = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266';

test('a deployment is costed, done on --send alone, found afterwards, and named in the network file (§20, §4.5)', { skip }, async (t) => {
  const { chain, layer1, chains } = await benchFor(t);
  const costed = await layer1('deploy');
  assert.equal(costed.status, 0, costed.stderr);
  assert.match(costed.stdout, /Nothing was sent/);
  assert.match(costed.stdout, /owner +0x1{40} +no contract: whoever has its key adds releases at once/);
  assert.deepEqual([await chain.rpc('eth_getTransactionCount', account, 'latest'), chains()], ['0x0', undefined]);
  const sent = await layer1('deploy', '--send');
  assert.equal(sent.status, 0, sent.stdout + sent.stderr);
  assert.deepEqual(chains(), [{ chainId: 31_337, anchors: addressOfAnchors(terms), endpoints: [chain.url] }]);
  const nonce = await chain.rpc('eth_getTransactionCount', account, 'latest');
  const again = await layer1('deploy', '--send');
  assert.match(again.stdout, /cost +nothing: everything is there/);
  assert.deepEqual([again.status, await chain.rpc('eth_getTransactionCount', account, 'latest')], [0, nonce]);
  const other = await layer1('deploy', '--window', '60', '--send');
  assert.match(other.stderr, /the network file names other contracts on chain 31337, at 0x[0-9a-f]{40}; take that entry out first/);
  assert.equal(other.status, 1);
});

test('no contract needs more gas than a deployment is costed with (§20)', { skip }, async (t) => {
  for (const hardfork of ['osaka', 'shanghai']) {
    const chain = await chainFor(t, { hardfork });
    for (const { name, data } of planDeployment(terms)) {
      const call = { from: account, to: '0x4e59b44847b379578588920ca78fbf26c0b4956c', data: `0x${data.toHex()}`, gas: '0xe00000' };
      const hash = await chain.rpc('eth_sendTransaction', call);
      await chain.rpc('evm_mine');
      const { gasUsed, status } = (await chain.rpc('eth_getTransactionReceipt', hash)) as { gasUsed: string; status: string };
      assert.equal(status, '0x1', `${name} on ${hardfork}`);
      assert.ok(Number(gasUsed) <= creationGasMost({ data }), `${name} on ${hardfork} used ${Number(gasUsed)}`);
    }
  }
});

test('what speaks against a deployment is said before anything is sent (§20.8)', { skip }, async (t) => {
  const { chain, layer1, keyFile, networkFile } = await benchFor(t);
  chmodSync(keyFile, 0o644);
  assert.match((await layer1('deploy')).stderr, /--key: others may read .*: chmod 600/);
  chmodSync(keyFile, 0o600);
  writeFileSync(keyFile, 'secret words');
  const wrong = await layer1('deploy');
  assert.deepEqual([wrong.status, /doesn't hold a key/.test(wrong.stderr), wrong.stderr.includes('secret')], [2, true, false]);
  writeFileSync(keyFile, '01'.repeat(32));
  assert.match((await layer1('deploy', '--send')).stderr, /! 0x[0-9a-f]{40} has 0 coin; up to 1\.\d+ coin is needed/);
  writeFileSync(keyFile, ANVIL_KEY.toHex());
  await chain.rpc('anvil_setNextBlockBaseFeePerGas', '0x174876e800');
  await chain.rpc('evm_mine');
  const dear = await layer1('deploy', '--send');
  assert.match(dear.stderr, /! gas costs \S+ gwei now, above the cap of 50 gwei: wait, or give --fee-cap/);
  writeFileSync(networkFile, encodeNetwork(sample));
  const withoutAnchors = await layer1('deploy', '--send');
  assert.match(withoutAnchors.stderr, /! this network was founded without anchors/);
  assert.deepEqual([dear.status, withoutAnchors.status], [1, 1]);
  assert.equal(await chain.rpc('eth_getTransactionCount', account, 'latest'), '0x0');
});

interface Bench {
  readonly chain: Chain;
  readonly keyFile: string;
  readonly networkFile: string;
  /** Runs the command on the chain, with the files. */
  readonly layer1: (command: string, ...line: string[]) => Promise<Ran>;
  readonly chains: () => readonly Layer1Chain[] | undefined;
}

async function benchFor(t: TestContext): Promise<Bench> {
  const chain = await chainFor(t, { blockTimeS: 1 });
  const folder = folderFor(t);
  const [keyFile, networkFile] = [join(folder, 'key'), join(folder, 'network.cbor')];
  writeFileSync(keyFile, ANVIL_KEY.toHex(), { mode: 0o600 });
  writeFileSync(networkFile, encodeNetwork(network));
  const files = ['--network', networkFile, '--key', keyFile];
  const people = ['--owner', `0x${keepers.owner.toHex()}`, '--guardian', `0x${keepers.guardian.toHex()}`];
  return {
    ...{ chain, keyFile, networkFile },
    layer1: (command, ...line) => ran(process.execPath, [program, command, chain.url, ...files, ...people, ...line]),
    chains: () => {
      const read = decodeNetwork(readFileSync(networkFile));
      return read.status === 'decoded' ? read.value.layer1 : assert.fail(read.detail);
    },
  };
}

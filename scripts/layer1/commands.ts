/** The commands of `npm run layer1`. */
import process from 'node:process';
import { Endpoints } from '../../device/layer1/endpoints.ts';
import { readCount } from '../../device/layer1/answers.ts';
import { JsonRpc } from '../../device/layer1/json-rpc.ts';
import { describeChain } from '../../device/layer1/probe.ts';
import { probeChain } from '../../device/layer1/probing.ts';
import { EndpointUrl } from '#protocol/endpoint-url.ts';
import { readPlain } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { commandOf, UsageError, wholeNumber } from '../arguments.ts';
import { harmless, table } from '../terminal.ts';

export const probe = commandOf(
  {
    name: 'probe',
    summary: 'Says what a chain can, by asking its endpoints.',
    operands: ['ENDPOINT', '[ENDPOINT]', '[ENDPOINT]', '[ENDPOINT]'],
    options: { chain: { value: 'ID', help: 'the id that the chain must have; by default that of the first endpoint' } },
    notes:
      'An endpoint is https://host, or http:// on this machine. Several are compared. Exit status 1 when the contracts can’t be there.',
  },
  async ({ operands, options }) => {
    for (const url of operands) requireEndpoint(url);
    if (operands.length > LIMITS.layer1EndpointsMax)
      throw new UsageError(`${operands.length} endpoints; at most ${LIMITS.layer1EndpointsMax} are compared`);
    const chainId = options.chain === undefined ? await chainOf(operands[0] ?? '') : wholeNumber('--chain', options.chain);
    const endpoints = new Endpoints(chainId, operands);
    try {
      const head = await endpoints.head();
      if (head.status === 'away')
        throw new Error(`chain ${chainId} does not answer: ${head.away.map(({ endpoint, why }) => `${endpoint}: ${why}`).join('; ')}`);
      const abilities = await probeChain(endpoints);
      process.stdout.write(`${table(describeChain(abilities))}\n`);
      for (const { endpoint, why } of head.away) process.stderr.write(`${endpoint} is away: ${harmless(why)}\n`);
      return abilities.lacking.length === 0 ? 0 : 1;
    } finally {
      endpoints.close();
    }
  },
);

function requireEndpoint(url: string): void {
  const read = readPlain(EndpointUrl, url);
  if (read.status === 'malformed') throw new UsageError(read.detail.replace(/^message/, 'the endpoint'));
}

async function chainOf(url: string): Promise<number> {
  const rpc = new JsonRpc(url);
  const answer = await rpc.ask('eth_chainId', []);
  rpc.close();
  const chainId = answer.status === 'answered' ? readCount(answer.value) : undefined;
  if (chainId !== undefined) return chainId;
  throw new Error(`${new URL(url).host} does not say which chain it serves${answer.status === 'away' ? `: ${answer.why}` : ''}`);
}

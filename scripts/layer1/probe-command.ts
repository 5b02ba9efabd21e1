/** `layer1 probe`: what a chain can. Specification §20.8. */
import process from 'node:process';
import { describeChain } from '../../device/layer1/probe.ts';
import { probeChain } from '../../device/layer1/probing.ts';
import { commandOf, wholeNumber } from '../arguments.ts';
import { harmless, table } from '../terminal.ts';
import { chainOf, endpointsOf } from './chain-endpoints.ts';

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
    const chainId = options.chain === undefined ? await chainOf(operands[0] ?? '') : wholeNumber('--chain', options.chain);
    const endpoints = endpointsOf(chainId, operands);
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

/**
 * Puts a network's contracts on a chain, each once: their addresses are known beforehand, so what is there is found, and what a killed run has begun
 * goes on. Specification §20, §20.8.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { FACTORY, planDeployment, type DeploymentTerms, type PlannedContract } from '#contracts/deployment.ts';
import { bytesIn } from '../../device/layer1/answers.ts';
import { describeComparison } from '../../device/layer1/comparison.ts';
import { valueOf, type Endpoints } from '../../device/layer1/endpoints.ts';
import type { Standing } from '../../device/layer1/intention.ts';
import type { Sender } from '../../device/layer1/sender-host.ts';

export interface Deployment {
  readonly endpoints: Endpoints;
  readonly sender: Sender;
  readonly terms: DeploymentTerms;
  /** Gets a line for people, when something has changed. */
  readonly say: (line: string) => void;
  readonly lookMs: number;
  readonly signal?: AbortSignal;
}

/** @returns every contract of the network, with its address. @throws Error with the reason where one can't be there */
export async function deployContracts(deployment: Deployment): Promise<PlannedContract[]> {
  const { endpoints, terms, say } = deployment;
  if (!(await hasCode(endpoints, FACTORY)))
    throw new Error(
      `chain ${endpoints.chainId} has no factory at 0x${FACTORY.toHex()}: bring Arachnid's deterministic deployment proxy there first`,
    );
  const contracts = planDeployment(terms);
  for (const contract of contracts) {
    if (await hasCode(endpoints, contract.address)) say(`${contract.name} is at 0x${contract.address.toHex()}`);
    else await make(deployment, contract);
  }
  return contracts;
}

/** Done when it is final: what a reorganisation takes away nobody must rely on. */
async function make({ endpoints, sender, say, lookMs, signal }: Deployment, { name, address, data }: PlannedContract): Promise<void> {
  const intention = `deploy/${name}/${address.toHex()}`;
  await sender.intend({ name: intention, to: FACTORY, data, value: '0' });
  let told = '';
  for (;;) {
    await sender.look();
    const standing = sender.standing(intention);
    const words = standing ? wordsOf(standing) : 'unknown';
    if (words !== told) say(`${name}: ${words}`);
    told = words;
    if (standing?.state === 'refused') throw new Error(`${name} can't be made on chain ${endpoints.chainId}: ${words}`);
    if (standing?.state === 'final') break;
    await pause(lookMs, undefined, signal && { signal });
  }
  if (!(await hasCode(endpoints, address)))
    throw new Error(`the factory of chain ${endpoints.chainId} has not made ${name} at 0x${address.toHex()}`);
}

function wordsOf(standing: Standing): string {
  const detail = 'detail' in standing ? `: ${standing.detail}` : '';
  const why = 'why' in standing ? ` (${standing.why})` : 'held' in standing ? ` (${standing.held})` : '';
  return `${standing.state}${why}${detail}`;
}

async function hasCode(endpoints: Endpoints, address: Uint8Array): Promise<boolean> {
  const params = [`0x${address.toHex()}`, 'latest'];
  const read = valueOf(bytesIn);
  const code = await endpoints.ask({ method: 'eth_getCode', params, read, words: (bytes: Uint8Array) => `${bytes.length} bytes of code` });
  if (code.status !== 'agreed') throw new Error(`chain ${endpoints.chainId} can't be read: ${describeComparison(code)}`);
  return code.value.length > 0;
}

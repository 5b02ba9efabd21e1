/**
 * Puts a network's contracts on a chain, each once: their addresses are known beforehand, so what is there is found, and what a killed run has begun
 * goes on. Specification §20, §20.8.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { planDeployment, type DeploymentTerms } from '#contracts/deployment.ts';
import { FACTORY, type PlannedContract } from '#contracts/planned-contract.ts';
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

export interface FoundContract extends PlannedContract {
  readonly isThere: boolean;
}

/**
 * What is there already, in the order in which they are made.
 * @throws Error where the chain can't be read, or has no factory
 */
export async function findContracts(endpoints: Endpoints, terms: DeploymentTerms): Promise<FoundContract[]> {
  if (!(await hasCode(endpoints, FACTORY)))
    throw new Error(
      `chain ${endpoints.chainId} has no factory at 0x${FACTORY.toHex()}: bring Arachnid's deterministic deployment proxy there first`,
    );
  return Promise.all(planDeployment(terms).map(async (contract) => ({ ...contract, isThere: await hasCode(endpoints, contract.address) })));
}

/**
 * Done when all are final: what a reorganisation takes away nobody must rely on.
 * @returns every contract of the network, with its address. @throws Error with the reason where one can't be there
 */
export async function deployContracts(deployment: Deployment): Promise<PlannedContract[]> {
  const { endpoints, sender, terms, say, lookMs, signal } = deployment;
  const contracts = await findContracts(endpoints, terms);
  for (const { name, address, isThere } of contracts) if (isThere) say(`${name} is at 0x${address.toHex()}`);
  const lacking = contracts.filter(({ isThere }) => !isThere);
  for (const { name, address, data } of lacking) await sender.intend({ name: nameOf({ name, address }), to: FACTORY, data, value: '0' });
  const told = new Map<string, string>();
  while (lacking.length > 0) {
    await sender.look();
    const standings = lacking.map((contract) => sender.standing(nameOf(contract)));
    for (const [index, { name }] of lacking.entries()) {
      const words = wordsOf(standings[index]);
      if (words !== told.get(name)) say(`${name}: ${words}`);
      told.set(name, words);
      if (standings[index]?.state === 'refused') throw new Error(`${name} can't be made on chain ${endpoints.chainId}: ${words}`);
    }
    if (standings.every((standing) => standing?.state === 'final')) break;
    await pause(lookMs, undefined, signal && { signal });
  }
  for (const { name, address } of lacking)
    if (!(await hasCode(endpoints, address)))
      throw new Error(`the factory of chain ${endpoints.chainId} has not made ${name} at 0x${address.toHex()}`);
  return contracts.map(({ name, address, data }) => ({ name, address, data }));
}

export function addressOfAnchors(terms: DeploymentTerms): Uint8Array {
  const anchors = planDeployment(terms).find(({ name }) => name === 'anchors');
  if (!anchors) throw new Error('a deployment has no contract "anchors"');
  return anchors.address;
}

function nameOf({ name, address }: Pick<PlannedContract, 'name' | 'address'>): string {
  return `deploy/${name}/${address.toHex()}`;
}

function wordsOf(standing: Standing | undefined): string {
  if (!standing) return 'unknown';
  const detail = 'detail' in standing ? `: ${standing.detail}` : '';
  const why = 'why' in standing ? ` (${standing.why})` : 'held' in standing ? ` (${standing.held})` : '';
  return `${standing.state}${why}${detail}`;
}

export async function hasCode(endpoints: Endpoints, address: Uint8Array): Promise<boolean> {
  const params = [`0x${address.toHex()}`, 'latest'];
  const read = valueOf(bytesIn);
  const code = await endpoints.ask({ method: 'eth_getCode', params, read, words: (bytes: Uint8Array) => `${bytes.length} bytes of code` });
  if (code.status !== 'agreed') throw new Error(`chain ${endpoints.chainId} can't be read: ${describeComparison(code)}`);
  return code.value.length > 0;
}

/** Real chains for tests: anvil, senders on them, a proxy that changes what an endpoint says, and a small network to deploy. */
import { createServer, request, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { errorWords } from '#contracts/error-words.ts';
import { addressOfKey } from '#contracts/evm.ts';
import { planDeployment, type DeploymentTerms } from '#contracts/deployment.ts';
import { FACTORY, type PlannedContract } from '#contracts/planned-contract.ts';
import { abi as anchorsAbi } from '#contracts/generated/anchors.ts';
import { Endpoints } from '../../../device/layer1/endpoints.ts';
import type { Standing } from '../../../device/layer1/intention.ts';
import { JsonRpc } from '../../../device/layer1/json-rpc.ts';
import { Sender, type SenderSetup } from '../../../device/layer1/sender-host.ts';
import { startAnvil, type Anvil, type AnvilRequest } from '../../../scripts/layer1/anvil.ts';

export interface Chain extends Anvil {
  /** One question; what is refused fails the test. */
  rpc(method: string, ...params: unknown[]): Promise<unknown>;
}

export async function chainFor(context: TestContext, wanted: AnvilRequest = {}): Promise<Chain> {
  const anvil = await startAnvil(wanted);
  const endpoint = new JsonRpc(anvil.url);
  context.after(async () => {
    endpoint.close();
    await anvil.stop();
  });
  const rpc = async (method: string, ...params: unknown[]): Promise<unknown> => {
    const answer = await endpoint.ask(method, params);
    if (answer.status !== 'answered') throw new Error(`${method}: ${answer.status === 'refused' ? answer.words : answer.why}`);
    return answer.value;
  };
  return { ...anvil, rpc };
}

export function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-layer1-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export function endpointsFor(context: TestContext, urls: readonly string[], chainId = 31_337): Endpoints {
  const endpoints = new Endpoints(chainId, urls, 2_000);
  context.after(() => endpoints.close());
  return endpoints;
}

export interface Told {
  readonly name: string;
  readonly standing: Standing;
}

type Wanted = { readonly endpoints: Endpoints; readonly file: string; readonly secret: Uint8Array } & Partial<SenderSetup>;

/** @returns the sender, and all that it has told, in order */
export function senderFor(
  context: TestContext,
  { endpoints, file, secret, ...wanted }: Wanted,
): { readonly sender: Sender; readonly told: Told[] } {
  const told: Told[] = [];
  const sender = new Sender({
    endpoints,
    file,
    finality: 'tag',
    key: { address: addressOfKey(secret), secret },
    terms: { feeCap: 100n * GWEI, dayBudget: 10n ** 18n },
    wordsOfError: (data) => errorWords([anchorsAbi], data),
    now: Date.now,
    log: () => undefined,
    onStanding: (name, standing) => told.push({ name, standing }),
    ...wanted,
  });
  context.after(() => sender.close());
  return { sender, told };
}

export const GWEI = 10n ** 9n;

/** The states of one intention in the order in which they were told. */
export function statesOf(told: readonly Told[], name: string): string[] {
  return told.filter((one) => one.name === name).map(({ standing }) => standing.state);
}

/** What ends some time, as a test. */
interface Ending {
  after(close: () => void): void;
}

/** Asks and answers in between are given as JSON. @param change gets method and result; what it returns is said instead */
export async function proxyFor(context: Ending, url: string, change: (method: string, result: unknown) => unknown): Promise<string> {
  const server = createServer((asked, answer) => {
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      const body = Buffer.concat(chunks);
      const { method } = JSON.parse(body.toString()) as { method: string };
      const onward = request(url, { method: 'POST', headers: { 'content-type': 'application/json' } }, (said) => {
        const parts: Buffer[] = [];
        said.on('data', (part: Buffer) => parts.push(part));
        said.on('end', () => {
          const whole = JSON.parse(Buffer.concat(parts).toString()) as { result?: unknown };
          answer.end(JSON.stringify('result' in whole ? { ...whole, result: change(method, whole.result) } : whole));
        });
      });
      onward.on('error', () => answer.destroy());
      onward.end(body);
    });
  });
  return listening(context, server);
}

/** @returns its address, until the test is over */
export async function listening(context: Ending, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

const zeros = new Uint8Array(32);

/** Of a network of four seats; the times are short. */
export function termsOf(networkId: Uint8Array): DeploymentTerms {
  const somebody = new Uint8Array(20).fill(0x11);
  return {
    networkId,
    owner: somebody,
    guardian: somebody,
    founders: { ...header(0n, zeros), epoch: 0n },
    anchors: { windowS: 60n, recoveryS: 3_600n, showS: 600n, bond: 1_000n },
    stopS: 600n,
    stakeMin: 10n ** 15n,
    withdrawalS: 3_600n,
    releaseDelayS: 60n,
    releaseNoticeS: 60n,
    judges: 3n,
  };
}

/** Made up, for the contract judges the form alone when it is posted (§20.3). */
export function header(epoch: bigint, previous: Uint8Array): DeploymentTerms['founders'] {
  const word = new Uint8Array(32).fill(Number(epoch) + 1);
  const roots = { blockId: word, seed: word, membersRoot: word, verdictsRoot: word, creditsRoot: word };
  return { epoch, checkpoint: epoch * 8n, height: epoch * 48n, timeMs: epoch * 1_000n, ...roots, members: 4n, seats: 4n, previous };
}

/** Puts all contracts there, and looks until they are final. */
export async function deploy(sender: Sender, chain: Chain, terms: DeploymentTerms): Promise<ReadonlyMap<string, PlannedContract>> {
  const contracts = planDeployment(terms);
  for (const { name, data } of contracts) await sender.intend({ name: `deploy/${name}`, to: FACTORY, data, value: '0' });
  await settle(
    sender,
    chain,
    contracts.map(({ name }) => `deploy/${name}`),
  );
  return new Map(contracts.map((contract) => [contract.name, contract]));
}

/** Looks, and makes blocks, until all of them have ended. */
export async function settle(sender: Sender, chain: Chain, names: readonly string[]): Promise<void> {
  for (let looks = 0; looks < 60; looks++) {
    await sender.look();
    const states = names.map((name) => sender.standing(name)?.state);
    if (states.every((state) => state === 'final' || state === 'refused')) return;
    await chain.rpc('evm_mine');
  }
  throw new Error(`not ended: ${names.map((name) => `${name} is ${JSON.stringify(sender.standing(name))}`).join(', ')}`);
}

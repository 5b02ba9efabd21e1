/**
 * The endpoints of one chain: each question is asked of all at once, about one block that all have, and the answers are compared. Whoever serves
 * another chain is left out, and named. Specification §20.8.
 */
import { readBlock, readCount, type Block } from './answers.ts';
import { compareAnswers, isEnough, type Comparison, type EndpointAnswer } from './comparison.ts';
import { JsonRpc, type Answer } from './json-rpc.ts';
import { LAYER1_LIMITS } from './limits.ts';

export interface Question<T> {
  readonly method: string;
  readonly params: readonly unknown[];
  /** @returns undefined where this is no answer to the question */
  readonly read: (answer: Answer) => T | undefined;
  readonly words: (value: T) => string;
}

interface Endpoint {
  /** Host and port: paths may hold what others should not read. */
  readonly name: string;
  readonly rpc: JsonRpc;
}

export class Endpoints {
  readonly chainId: number;
  #all: readonly Endpoint[];

  constructor(chainId: number, urls: readonly string[], answerMs?: number) {
    this.chainId = chainId;
    this.#all = urls.map((url, index) => ({ name: nameOf(url, index, urls), rpc: new JsonRpc(url, answerMs) }));
  }

  /** The newest block that all have. Heads that are far apart are a difference: one of them is of another time. */
  async head(): Promise<Comparison<Block>> {
    const heads = await this.#each({ method: 'eth_blockNumber', params: [], read: valueOf(readCount), words: String });
    const numbers = heads.flatMap(({ said }) => (said.status === 'said' ? [said.value] : []));
    const lowest = Math.min(...numbers);
    if (numbers.length > 0 && Math.max(...numbers) - lowest > LAYER1_LIMITS.headsApartMax) return differing(heads);
    return numbers.length > 0 ? this.block(lowest) : compareAnswers<Block>(heads.map(asAway), describeBlock);
  }

  block(number: number | 'finalized'): Promise<Comparison<Block>> {
    return this.ask({
      method: 'eth_getBlockByNumber',
      params: [typeof number === 'number' ? quantity(number) : number, false],
      read: valueOf(readBlock),
      words: describeBlock,
    });
  }

  async ask<T>(question: Question<T>): Promise<Comparison<T>> {
    return compareAnswers(await this.#each(question), question.words);
  }

  /** What each says, where they need not agree: offers of fees, what they name as final. None where fewer than half answer. */
  async opinions<T>(question: Question<T>): Promise<T[]> {
    const opinions = (await this.#each(question)).flatMap(({ said }) => (said.status === 'said' ? [said.value] : []));
    return isEnough(opinions.length, this.#all.length) ? opinions : [];
  }

  /** Each by itself, by its name: for what one's word is enough. They end with all. */
  alone(): { readonly name: string; readonly endpoints: Endpoints }[] {
    return this.#all.map((endpoint) => {
      const endpoints = new Endpoints(this.chainId, []);
      endpoints.#all = [endpoint];
      return { name: endpoint.name, endpoints };
    });
  }

  close(): void {
    for (const { rpc } of this.#all) rpc.close();
  }

  #each<T>(question: Question<T>): Promise<EndpointAnswer<T>[]> {
    return Promise.all(this.#all.map((endpoint) => this.#one(endpoint, question)));
  }

  async #one<T>({ name, rpc }: Endpoint, { method, params, read }: Question<T>): Promise<EndpointAnswer<T>> {
    const [chain, answer] = await Promise.all([rpc.ask('eth_chainId', []), rpc.ask(method, params)]);
    const said = (why: string): EndpointAnswer<T> => ({ endpoint: name, said: { status: 'away', why } });
    if (answer.status === 'away') return said(answer.why);
    const chainId = valueOf(readCount)(chain);
    if (chainId !== this.chainId) return said(`it serves chain ${chainId ?? 'unknown'}, not ${this.chainId}`);
    const value = read(answer);
    if (value !== undefined) return { endpoint: name, said: { status: 'said', value } };
    return said(answer.status === 'refused' ? `it refuses ${method}: ${answer.words}` : `what it said to ${method} is not understood`);
  }
}

export function valueOf<T>(read: (value: unknown) => T | undefined): (answer: Answer) => T | undefined {
  return (answer) => (answer.status === 'answered' ? read(answer.value) : undefined);
}

/** As JSON-RPC writes whole numbers. */
export function quantity(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

function describeBlock({ number, hash, baseFee }: Block): string {
  return `block ${number} ${hash.toHex()} ${baseFee ?? ''}`.trimEnd();
}

function differing(heads: readonly EndpointAnswer<number>[]): Comparison<Block> {
  const compared = compareAnswers(heads, (number) => `block ${number} is its newest`);
  return compared.status === 'agreed' ? { status: 'away', away: compared.away } : compared;
}

function asAway({ endpoint, said }: EndpointAnswer<unknown>): EndpointAnswer<Block> {
  return { endpoint, said: said.status === 'away' ? said : { status: 'away', why: 'it has no block' } };
}

/** Two paths of one host are told apart by their place in the list. */
function nameOf(url: string, index: number, urls: readonly string[]): string {
  const { host } = new URL(url);
  return urls.some((other, at) => at !== index && new URL(other).host === host) ? `${host}#${index + 1}` : host;
}

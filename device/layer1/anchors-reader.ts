/**
 * The contract Anchors, read: which network it is of, which anchor is the last final one, and its header. Several endpoints are compared; a header is
 * believed for its digest, whoever says it. Nothing is signed or sent here. Specification §20.8, §20.10.
 */
import { anchorDigest, type AnchorHeader, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import {
  anchorOfCall,
  countWord,
  lastFinalCall,
  networkCall,
  POSTED_TOPIC,
  readCountWord,
  readPostedHeader,
  readWord,
} from '#protocol/layer1/anchors-calls.ts';
import { sameBytes } from '#protocol/codec.ts';
import { bytesIn, fieldOf } from './answers.ts';
import { describeComparison, type Comparison } from './comparison.ts';
import { quantity, valueOf, type Endpoints, type Question } from './endpoints.ts';

/** `differ`, `away`: as §20.8 says of endpoints. */
export type NotReadWhy = 'away' | 'differ' | 'no-contract' | 'no-anchor' | 'not-final' | 'no-header';

export class AnchorNotRead extends Error {
  readonly why: NotReadWhy;

  constructor(why: NotReadWhy, words: string) {
    super(words);
    this.why = why;
  }
}

export interface FinalAnchor {
  readonly epoch: number;
  readonly anchor: Uint8Array;
}

/** The contract at one block that all endpoints have. */
export class AnchorsReader {
  readonly place: AnchorPlace;
  readonly lastFinal: number;
  readonly #endpoints: Endpoints;
  readonly #block: number;

  private constructor(endpoints: Endpoints, place: AnchorPlace, at: { readonly block: number; readonly lastFinal: number }) {
    this.#endpoints = endpoints;
    this.place = place;
    this.#block = at.block;
    this.lastFinal = at.lastFinal;
  }

  /** @param anchors its address. @throws AnchorNotRead */
  static async open(endpoints: Endpoints, anchors: Uint8Array): Promise<AnchorsReader> {
    const { number: block } = required(await endpoints.head(), endpoints.chainId);
    const ask = (data: Uint8Array): Promise<Uint8Array> => call(endpoints, anchors, data, block);
    const [network, lastFinal] = await Promise.all([ask(networkCall), ask(lastFinalCall)]);
    const [id, last] = [readWord(network), readCountWord(lastFinal)];
    if (id && last !== undefined)
      return new AnchorsReader(endpoints, { network: id, chainId: endpoints.chainId, anchors }, { block, lastFinal: last });
    throw new AnchorNotRead('no-contract', `on chain ${endpoints.chainId} there is no contract Anchors at 0x${anchors.toHex()}`);
  }

  /** What another contract of the network says at the same block; nothing where there is none. @throws AnchorNotRead */
  ask(contract: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
    return call(this.#endpoints, contract, data, this.#block);
  }

  /** @throws AnchorNotRead, `not-final` for an epoch after the last final one */
  async anchorOf(epoch: number): Promise<FinalAnchor> {
    if (epoch > this.lastFinal)
      throw new AnchorNotRead('not-final', `the last final anchor is that of epoch ${this.lastFinal}, and not of ${epoch}`);
    const anchor = readWord(await call(this.#endpoints, this.place.anchors, anchorOfCall(epoch), this.#block));
    if (!anchor) throw new AnchorNotRead('no-anchor', `the contract does not say which anchor epoch ${epoch} has`);
    return { epoch, anchor };
  }

  /** From the events of the contract. @throws AnchorNotRead */
  async headerOf({ epoch, anchor }: FinalAnchor): Promise<AnchorHeader> {
    const filter = {
      address: `0x${this.place.anchors.toHex()}`,
      topics: [`0x${POSTED_TOPIC.toHex()}`, `0x${countWord(epoch).toHex()}`],
      fromBlock: '0x0',
      toBlock: quantity(this.#block),
    };
    const headers = await this.#endpoints.opinions({ method: 'eth_getLogs', params: [filter], read: valueOf(headersIn), words: String });
    const header = headers.flat().find((said) => sameBytes(anchorDigest(this.place, said), anchor));
    if (header) return header;
    throw new AnchorNotRead('no-header', `no endpoint of chain ${this.place.chainId} shows the header of epoch ${epoch} (eth_getLogs)`);
  }
}

function required<T>(comparison: Comparison<T>, chainId: number): T {
  if (comparison.status === 'agreed') return comparison.value;
  throw new AnchorNotRead(comparison.status, `chain ${chainId} can't be read: ${describeComparison(comparison)}`);
}

async function call(endpoints: Endpoints, to: Uint8Array, data: Uint8Array, block: number): Promise<Uint8Array> {
  const question: Question<Uint8Array> = {
    method: 'eth_call',
    params: [{ to: `0x${to.toHex()}`, data: `0x${data.toHex()}` }, quantity(block)],
    read: valueOf(bytesIn),
    words: (answer) => `that ${data.subarray(0, 4).toHex()} gives ${answer.toHex().slice(0, 80)}`,
  };
  return required(await endpoints.ask(question), endpoints.chainId);
}

function headersIn(logs: unknown): AnchorHeader[] | undefined {
  if (!Array.isArray(logs)) return undefined;
  return logs.flatMap((log) => {
    const data = bytesIn(fieldOf(log, 'data'));
    const header = data && readPostedHeader(data);
    return header ? [header] : [];
  });
}

/**
 * One endpoint of a chain: JSON-RPC 2.0 over HTTPS (TLS 1.3), or over HTTP on this machine, bounded in time and size. It answers, refuses or is
 * away; nothing that it says makes it throw. Specification §20.8.
 */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { harmless } from '#protocol/schema.ts';
import { bytesIn, fieldOf } from './answers.ts';
import { LAYER1_LIMITS } from './limits.ts';

export type Answer =
  | { readonly status: 'answered'; readonly value: unknown }
  /** The endpoint's error object; `data` is what a contract said when it reverted. */
  | { readonly status: 'refused'; readonly words: string; readonly data?: Uint8Array }
  | { readonly status: 'away'; readonly why: string };

export class JsonRpc {
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #answerMs: number;
  readonly #answerBytesMax: number;
  #lastId = 0;

  constructor(url: string, answerMs: number = LAYER1_LIMITS.answerMs, answerBytesMax: number = LAYER1_LIMITS.answerBytesMax) {
    this.#url = new URL(url);
    this.#answerMs = answerMs;
    this.#answerBytesMax = answerBytesMax;
    this.#agent =
      this.#url.protocol === 'https:' ? new HttpsAgent({ keepAlive: true, minVersion: 'TLSv1.3' }) : new HttpAgent({ keepAlive: true });
  }

  /** Never rejects. */
  async ask(method: string, params: readonly unknown[]): Promise<Answer> {
    const id = (this.#lastId += 1);
    try {
      return answerIn(await this.#exchange(JSON.stringify({ jsonrpc: '2.0', id, method, params })), id);
    } catch (error) {
      return { status: 'away', why: wordsOf(error) };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const options = { method: 'POST', headers, agent: this.#agent };
      const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request: ClientRequest = send(
        this.#url,
        options,
        (response) => void read(response, this.#answerBytesMax).then(resolve, reject),
      );
      const late = setTimeout(() => request.destroy(new Error(`no answer within ${this.#answerMs} ms`)), this.#answerMs);
      request.once('error', reject);
      request.once('close', () => clearTimeout(late));
      request.end(body);
    });
  }
}

async function read(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode ?? 'missing'}`);
  return Buffer.concat(chunks).toString();
}

/** @throws Error where it is no answer to this question */
function answerIn(body: string, id: number): Answer {
  const answer: unknown = JSON.parse(body);
  if (fieldOf(answer, 'id') !== id) throw new Error('the answer is to another question');
  const error = fieldOf(answer, 'error');
  if (error === undefined || error === null) return { status: 'answered', value: fieldOf(answer, 'result') };
  const data = bytesIn(fieldOf(error, 'data'));
  return { status: 'refused', words: wordsOf(fieldOf(error, 'message')), ...(data && { data }) };
}

function wordsOf(value: unknown): string {
  const words = value instanceof Error ? value.message || value.name : typeof value === 'string' ? value : 'without words';
  return harmless(words, LAYER1_LIMITS.wordsMax);
}

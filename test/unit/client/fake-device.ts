/** A device in memory that speaks the real bytes to its clients: accepts by signature, asks for files, runs nothing, reports. */
import { generateKeyPairSync, randomBytes, sign as signEd25519 } from 'node:crypto';

import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { capsuleIdOf, hasEnded, type CapsuleState } from '#protocol/capsule.ts';
import {
  AcceptanceMessage,
  Answer,
  CancelRequest,
  LogNews,
  ProgressNews,
  Query,
  ResultNews,
  StateNews,
  Submission,
  type CapsuleLine,
} from '#protocol/client-messages.ts';
import { decodeBulk, encodeBulk, type Decoded } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, decodeManifest, encodeManifest, type Manifest } from '#protocol/manifest.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { ReceiptMessage, type Receipt } from '#protocol/receipt.ts';
import type { Schema } from '#protocol/schema.ts';
import { signMessage, type Sign } from '#protocol/signed.ts';
import { parseTopic, topicFilter, topicOf, type CapsuleNews } from '#protocol/topics.ts';

export const parties = { network: new Uint8Array(32).fill(7), device: 'alpha', client: 'demo' } as const;
const label = parties.network.subarray(0, 8).toHex();
const node = new Uint8Array(32).fill(9);
const keys = generateKeyPairSync('ed25519');

export const deviceKey = { node, operationalKey: Uint8Array.from(keys.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)) };
export const signAsDevice: Sign = (input) => Uint8Array.from(signEd25519(null, input, keys.privateKey));

export interface HeldCapsule {
  readonly id: string;
  readonly manifest: Manifest;
  readonly acceptance: Uint8Array;
  readonly submittedAtMs: number;
  state: CapsuleState;
}

/** What a run leaves: text by output path. */
export interface Story {
  readonly outputs: Readonly<Record<string, string>>;
  readonly log: readonly string[];
  /** Stay in `running` until `end` is called. */
  readonly endless?: boolean;
}

export class FakeDevice {
  /** What survives a restart. */
  readonly capsules = new Map<string, HeldCapsule>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly receipts = new Map<string, Uint8Array>();
  /** Gives every capsule a receipt whose form is right; nothing in it holds. */
  issuesReceipts = false;
  /** What is said about the finality of a receipt, one after the other. */
  finality: (capsule: string) => readonly FinalityNews[] = (capsule) => [{ finality: 'final', capsule, proof: Uint8Array.of(1) }];
  /** Called after a submission was stored and before it is answered; `false`: the device dies there. */
  beforeAnswer: () => boolean = () => true;
  /** What a list says of receipts. */
  listedFinality: CapsuleLine['finality'];
  story: Story = { outputs: { 'answer.txt': '42\n' }, log: ['hello\n', 'world\n'] };
  refusal: Answer | undefined;
  up = true;
  readonly #connection: Connection;
  readonly #retry: NodeJS.Timeout;

  constructor(connection: Connection) {
    this.#connection = connection;
    void this.#connection.subscribe(topicFilter(label, parties.device, 'clients', '+', '#'), (message) => this.#heard(message));
    this.#retry = setInterval(() => this.#askForAll(), 15);
  }

  stop(): void {
    clearInterval(this.#retry);
  }

  /** Ends a run that the story left endless. */
  end(id: string, state: CapsuleState = 'agreed'): void {
    const held = this.capsules.get(id);
    if (held) this.#finish(held, state);
  }

  log(id: string, stream: 'stdout' | 'stderr', offset: number, text: string, attempt = 1): void {
    this.#tell(id, 'log', LogNews, { capsule: id, attempt, stream, offset, text });
  }

  #heard(message: Incoming): void {
    const topic = parseTopic(label, message.topic);
    if (!this.up || topic?.to !== 'client') return;
    switch (topic.kind) {
      case 'submit':
        return this.#read(decodeBulk(Submission, message.payload, LIMITS.packetBytesMax), (submission) =>
          this.#submitted(submission, message),
        );
      case 'query':
        return this.#read(decodeBulk(Query, message.payload, LIMITS.packetBytesMax), (query) => this.#queried(query, message));
      case 'cancel':
        return this.#read(decodeBulk(CancelRequest, message.payload, LIMITS.packetBytesMax), ({ capsule }) =>
          this.#cancelled(capsule, message),
        );
      case 'upload/chunk':
        return this.#read(decodeBulk(BlobChunk, message.payload, LIMITS.packetBytesMax), (chunk) => this.#brought(chunk));
      case 'download/need':
        return this.#read(decodeBulk(BlobNeed, message.payload, LIMITS.packetBytesMax), (need) => this.#give(need));
      default:
        return undefined;
    }
  }

  #read<T>(decoded: Decoded<T>, use: (value: T) => void): void {
    if (decoded.status === 'malformed') throw new Error(`the client sent what it may not: ${decoded.detail}`);
    use(decoded.value);
  }

  #submitted({ request, manifest: encoded }: { request: Uint8Array; manifest: Uint8Array }, message: Incoming): void {
    if (this.refusal) return this.#answer(message, this.refusal);
    const digest = capsuleDigest(encoded);
    const id = capsuleIdOf({ ...parties, request, capsule: digest });
    const manifest = decodeManifest(encoded);
    if (manifest.status === 'malformed') throw new Error(manifest.detail);
    const acceptedAtMs = Date.now();
    const acceptance = signMessage(AcceptanceMessage, { ...parties, node, request, capsule: id, digest, acceptedAtMs }, signAsDevice);
    const held = this.capsules.get(id) ?? {
      id,
      manifest: manifest.value,
      acceptance,
      submittedAtMs: acceptedAtMs,
      state: 'submitted' as const,
    };
    this.capsules.set(id, held);
    if (!this.beforeAnswer()) return void (this.up = false);
    this.#answer(message, { answer: 'accepted', capsule: id, state: held.state, acceptance: held.acceptance });
    this.#askFor(held);
  }

  #queried(query: Query, message: Incoming): void {
    if (query.query === 'list')
      return this.#answer(message, {
        answer: 'capsules',
        capsules: [...this.capsules.values()].map((held) => ({
          ...lineOf(held),
          ...(this.listedFinality && { finality: this.listedFinality }),
        })),
      });
    if (query.query === 'chain')
      return this.#answer(message, { answer: 'refused', reason: 'unknown-block', detail: 'there is no chain here' });
    const held = this.capsules.get(query.capsule);
    if (!held) return this.#answer(message, { answer: 'refused', reason: 'unknown-capsule', detail: 'you have no such capsule here' });
    this.#answer(message, { answer: 'capsule', ...lineOf(held) });
    this.#news(held);
  }

  #cancelled(capsule: string, message: Incoming): void {
    const held = this.capsules.get(capsule);
    if (!held) return this.#answer(message, { answer: 'refused', reason: 'unknown-capsule', detail: 'you have no such capsule here' });
    if (hasEnded(held.state))
      return this.#answer(message, { answer: 'refused', reason: 'already-ended', detail: `capsule ${capsule} has ended: ${held.state}` });
    this.#answer(message, { answer: 'cancelling', capsule, state: held.state });
    this.#finish(held, 'cancelled');
  }

  #askForAll(): void {
    if (this.up) for (const held of this.capsules.values()) this.#askFor(held);
  }

  #askFor(held: HeldCapsule): void {
    if (held.state !== 'submitted') return;
    const lacking = held.manifest.files.filter(({ digest }) => this.blobs.get(hex(digest)) === undefined);
    if (lacking.length === 0) return this.#run(held);
    for (const { digest, bytes } of lacking) {
      const offset = this.#partial.get(hex(digest))?.length ?? 0;
      this.#say(
        'upload/need',
        encodeBulk(BlobNeed, { digest, offset, bytes: Math.min(LIMITS.chunkBytesMax, Math.max(1, bytes - offset)) }),
      );
    }
  }

  readonly #partial = new Map<string, Uint8Array>();

  #brought(chunk: BlobChunk): void {
    if (chunk.chunk === 'missing') return;
    const key = hex(chunk.digest);
    const before = this.#partial.get(key) ?? new Uint8Array();
    if (chunk.offset !== before.length || this.blobs.has(key)) return;
    const content = Buffer.concat([before, chunk.content]);
    this.#partial.set(key, content);
    if (content.length < chunk.total) return this.#askForAll();
    if (hex(blobDigest(content)) !== key) return void this.#partial.delete(key);
    this.blobs.set(key, content);
    for (const held of this.capsules.values()) this.#askFor(held);
  }

  #run(held: HeldCapsule): void {
    for (const state of ['ordered', 'assigned', 'measured', 'running'] as const) {
      held.state = state;
      this.#news(held);
    }
    let offset = 0;
    for (const text of this.story.log) {
      this.log(held.id, 'stdout', offset, text);
      offset += text.length;
    }
    this.#tell(held.id, 'progress', ProgressNews, { capsule: held.id, permille: 500, note: 'half' });
    if (!this.story.endless) this.#finish(held, 'agreed');
  }

  #finish(held: HeldCapsule, state: CapsuleState): void {
    held.state = state;
    for (const text of [...Object.values(this.story.outputs), this.story.log.join('')]) this.#keep(text);
    this.#news(held);
  }

  #keep(text: string): Uint8Array {
    const content = new TextEncoder().encode(text);
    const digest = blobDigest(content);
    this.blobs.set(hex(digest), content);
    return digest;
  }

  /** Like a query of the real device: the state carries the time at which it is told. */
  #news(held: HeldCapsule): void {
    this.#tell(held.id, 'state', StateNews, { capsule: held.id, state: held.state, atMs: Date.now() }, true);
    if (!hasEnded(held.state)) return;
    const agreed = held.state === 'agreed';
    const outputs = agreed
      ? Object.entries(this.story.outputs).map(([path, text]) => ({
          path,
          digest: this.#keep(text),
          bytes: new TextEncoder().encode(text).length,
        }))
      : [];
    const log = this.story.log.join('');
    this.#tell(
      held.id,
      'result',
      ResultNews,
      {
        capsule: held.id,
        state: held.state,
        outputs,
        ...(agreed ? { exitStatus: 0, stdout: { digest: this.#keep(log), bytes: log.length } } : {}),
      },
      true,
    );
    const receipt = this.receipts.get(held.id) ?? (this.issuesReceipts ? formalReceipt(held) : undefined);
    if (!receipt) return;
    void this.#connection.publish(topicOf(label, { to: 'capsule', ...parties, capsule: held.id, kind: 'receipt' }), receipt, {
      retain: true,
      contentType: 'application/cbor',
    });
    for (const news of this.finality(held.id)) this.#tell(held.id, 'finality', FinalityNews, news, true);
  }

  #give(need: BlobNeed): void {
    const blob = this.blobs.get(hex(need.digest));
    if (!blob) return this.#say('download/chunk', encodeBulk(BlobChunk, { chunk: 'missing', digest: need.digest }));
    const content = blob.slice(need.offset, need.offset + need.bytes);
    this.#say(
      'download/chunk',
      encodeBulk(BlobChunk, { chunk: 'content', digest: need.digest, offset: need.offset, total: blob.length, content }),
    );
  }

  #answer(message: Incoming, answer: Answer): void {
    const { responseTopic, correlationData } = message;
    if (responseTopic === undefined || correlationData === undefined)
      throw new Error('a request has a response topic and correlation data');
    void this.#connection.publish(responseTopic, encodeBulk(Answer, answer), { correlationData, contentType: 'application/cbor' });
  }

  #say(kind: 'upload/need' | 'download/chunk', payload: Uint8Array): void {
    void this.#connection.publish(topicOf(label, { to: 'client', ...parties, kind }), payload);
  }

  #tell<T>(capsule: string, kind: CapsuleNews, schema: Schema<T>, value: T, retain = false): void {
    void this.#connection.publish(topicOf(label, { to: 'capsule', ...parties, capsule, kind }), encodeBulk(schema, value), { retain });
  }
}

function lineOf({ id, manifest, state, submittedAtMs }: HeldCapsule): CapsuleLine {
  return { capsule: id, name: manifest.name, state, submittedAtMs };
}

function formalReceipt({ id, manifest, state }: HeldCapsule): Uint8Array {
  const some = Uint8Array.of(1);
  const measured = { nonce: new Uint8Array(32), issuedAtMs: 1, evidence: some };
  const receipt: Receipt = {
    ...{
      version: 1,
      network: parties.network,
      node,
      device: parties.device,
      tpm: 'software-tpm',
      gateway: { node, device: parties.device },
      client: parties.client,
      request: new Uint8Array(16),
    },
    ...{
      capsule: id,
      manifest: encodeManifest(manifest),
      attempt: 1,
      box: { name: 'box', key: new Uint8Array(32), trust: 'self-reported' },
    },
    ...{ acceptedAtMs: 1, endedAtMs: 2, state, measuredBefore: measured, measuredAfter: measured, report: some, deviceEvidence: some },
  };
  return signMessage(ReceiptMessage, receipt, signAsDevice);
}

export function freshRequest(): Uint8Array {
  return Uint8Array.from(randomBytes(16));
}

/** A device in memory that speaks the same bytes as a real one over the connection port, and the box's end of that connection. */
import { generateKeyPairSync, randomBytes, sign as signWith, type KeyObject } from 'node:crypto';
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { servedRange } from '#protocol/blob-fetch.ts';
import {
  AcknowledgementMessage,
  AssignmentMessage,
  BoxEvidenceMessage,
  CancellationMessage,
  ChallengeMessage,
  Hello,
  Introduction,
  ReportMessage,
  RunLog,
  RunProgress,
  RunState,
  runIdOf,
  type BoxEvidence,
  type Report,
} from '#protocol/box-messages.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import type { EvidenceVerdict } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeManifest, manifestFrom, type Manifest, type WrittenManifest } from '#protocol/manifest.ts';
import type { Connection, ConnectionState, Incoming, PublishOutcome } from '#protocol/mqtt-port.ts';
import type { Network } from '#protocol/network.ts';
import type { Infer, Schema } from '#protocol/schema.ts';
import { openSigned, signMessage, type Sign, type SignedKind } from '#protocol/signed.ts';
import { parseTopic, topicOf, type BoxDown, type BoxUp } from '#protocol/topics.ts';
import type { BoxIdentity } from '../../../hpc-agent/identity.ts';

export const networkLabel = '0123456789abcdef';
export const networkId = Uint8Array.fromHex(networkLabel.repeat(4));

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly sign: Sign;
}

export function newKey(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey: Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)), sign: signer(privateKey) };
}

/** The agent takes evidence for true that is the operational key and a name: judging real evidence has tests of its own. */
export function judgeShownKey(encoded: Uint8Array): EvidenceVerdict {
  const [name = '', key = ''] = new TextDecoder().decode(encoded).split(' ');
  if (key === '') return { status: 'untrusted', reason: 'malformed', detail: 'no key' };
  return { status: 'trusted', name, operationalKey: Uint8Array.fromHex(key) } as EvidenceVerdict;
}

/** The box's end: delivers in order, at the next turn, and nothing while it is cut. */
export class MemoryConnection implements Connection {
  state: ConnectionState = 'connecting';
  readonly #handlers: ((message: Incoming) => void)[] = [];
  readonly #listeners: ((state: ConnectionState, reason: string) => void)[] = [];
  readonly #device: MemoryDevice;

  constructor(device: MemoryDevice) {
    this.#device = device;
  }

  publish(topic: string, payload: Uint8Array): Promise<PublishOutcome> {
    if (this.state !== 'connected') return Promise.resolve('dropped');
    const copy = payload.slice();
    return new Promise((resolve) =>
      setImmediate(() => {
        if (this.state === 'connected') this.#device.heard(topic, copy);
        resolve(this.state === 'connected' ? 'acknowledged' : 'dropped');
      }),
    );
  }

  subscribe(_filter: string, handler: (message: Incoming) => void): Promise<void> {
    this.#handlers.push(handler);
    return Promise.resolve();
  }

  onState(listener: (state: ConnectionState, reason: string) => void): void {
    this.#listeners.push(listener);
  }

  connected(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.turn('closed');
    return Promise.resolve();
  }

  turn(state: ConnectionState): void {
    this.state = state;
    for (const listener of this.#listeners) listener(state, 'test');
  }

  deliver(topic: string, payload: Uint8Array, retained: boolean): void {
    const copy = payload.slice();
    setImmediate(() => {
      if (this.state === 'connected') for (const handler of this.#handlers) handler({ topic, payload: copy, retained });
    });
  }
}

export class MemoryDevice {
  readonly name = 'alpha';
  readonly box = 'box-1';
  readonly boxKey = newKey();
  key = newKey();
  /** What it can serve, by digest in hexadecimal. */
  readonly blobs = new Map<string, Uint8Array>();
  /** Changes or drops an answer to an ask. */
  tamper: (chunk: BlobChunk) => BlobChunk | undefined = (chunk) => chunk;
  readonly hellos: Hello[] = [];
  readonly states: RunState[] = [];
  readonly progress: RunProgress[] = [];
  readonly logs: RunLog[] = [];
  readonly evidence: BoxEvidence[] = [];
  /** Signed bytes, as often as they came. */
  readonly reports: Uint8Array[] = [];
  readonly chunks: BlobChunk[] = [];
  needs = 0;
  #connection = new MemoryConnection(this);

  /** A new connection for an agent that starts; the one before it is dead. */
  plug(): MemoryConnection {
    this.#connection.state = 'closed';
    this.#connection = new MemoryConnection(this);
    return this.#connection;
  }

  connect(): void {
    this.#connection.turn('connected');
    this.introduce();
  }

  cut(): void {
    this.#connection.turn('lost');
  }

  identity(): BoxIdentity {
    return {
      network: {} as Network,
      networkId,
      networkLabel,
      device: this.name,
      box: this.box,
      publicKey: this.boxKey.publicKey,
      sign: this.boxKey.sign,
    };
  }

  /** @param retained as at a subscription; else it comes to the broker just now */
  introduce(name = this.name, key = this.key, retained = true): void {
    const evidence = new TextEncoder().encode(`${name} ${hex(key.publicKey)}`);
    this.say('introduction', encodeBulk(Introduction, { evidence }), retained);
  }

  challenge(run: string, changes: Partial<Infer<(typeof ChallengeMessage)['body']>> = {}, key = this.key): Uint8Array {
    const nonce = Uint8Array.from(randomBytes(32));
    this.order(
      'challenge',
      ChallengeMessage,
      { network: networkId, device: this.name, box: this.box, run, nonce, issuedAtMs: Date.now(), ...changes },
      key,
    );
    return nonce;
  }

  assign(manifest: Manifest, changes: Partial<Infer<(typeof AssignmentMessage)['body']>> = {}, key = this.key): string {
    const capsule = changes.capsule ?? hex(randomBytes(16));
    const run = changes.run ?? runIdOf(capsule, 1);
    const assignment = {
      network: networkId,
      device: this.name,
      box: this.box,
      run,
      capsule,
      attempt: 1,
      manifest: encodeManifest(manifest),
      assignedAtMs: Date.now(),
    };
    this.order('assign', AssignmentMessage, { ...assignment, ...changes }, key);
    return run;
  }

  cancel(run: string, key = this.key): void {
    this.order(
      'cancel',
      CancellationMessage,
      { network: networkId, device: this.name, box: this.box, run, reason: 'cancelled-by-client' },
      key,
    );
  }

  acknowledge(run: string, key = this.key): void {
    this.order('acknowledge', AcknowledgementMessage, { network: networkId, device: this.name, box: this.box, run }, key);
  }

  order<T>(kind: BoxDown, signed: SignedKind<T>, value: T, key: KeyPair): void {
    this.say(kind, signMessage(signed, value, key.sign), false);
  }

  say(kind: BoxDown, payload: Uint8Array, retained = false): void {
    this.#connection.deliver(
      topicOf(networkLabel, { to: 'box', device: this.name, box: this.box, direction: 'down', kind }),
      payload,
      retained,
    );
  }

  /** Stores content and returns the file of a manifest for it. */
  file(path: string, content: string | Uint8Array): Manifest['files'][number] {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const digest = blobDigest(bytes);
    this.blobs.set(hex(digest), bytes);
    return { path, digest, bytes: bytes.length };
  }

  manifest(written: Omit<WrittenManifest, 'capsule'>, files: Manifest['files']): Manifest {
    return manifestFrom({ capsule: 1, ...written }, files, Date.now());
  }

  reportsOf(run: string): Report[] {
    return this.reports.map((encoded) => this.requireReport(encoded)).filter((report) => report.run === run);
  }

  requireReport(encoded: Uint8Array): Report {
    return requireSigned(ReportMessage, encoded, this.boxKey);
  }

  /** The content of something that a run left. */
  async fetch(digest: Uint8Array, bytes: number): Promise<Uint8Array | 'missing'> {
    const content = new Uint8Array(bytes);
    for (let offset = 0; offset < bytes || offset === 0; offset += LIMITS.chunkBytesMax) {
      const seen = this.chunks.length;
      this.say('need', encodeBulk(BlobNeed, { digest, offset, bytes: LIMITS.chunkBytesMax }));
      const chunk = await until(() => this.chunks[seen]);
      if (chunk.chunk === 'missing') return 'missing';
      content.set(chunk.content, chunk.offset);
    }
    return content;
  }

  heard(topic: string, payload: Uint8Array): void {
    const parsed = parseTopic(networkLabel, topic);
    if (parsed?.to !== 'box' || parsed.direction !== 'up') throw new Error(`the box wrote to ${topic}`);
    this.#take(parsed.kind, payload);
  }

  #take(kind: BoxUp, payload: Uint8Array): void {
    switch (kind) {
      case 'hello':
        return void this.hellos.push(requireBulk(Hello, payload));
      case 'state':
        return void this.states.push(requireBulk(RunState, payload));
      case 'progress':
        return void this.progress.push(requireBulk(RunProgress, payload));
      case 'log':
        return void this.logs.push(requireBulk(RunLog, payload));
      case 'evidence':
        return void this.evidence.push(requireSigned(BoxEvidenceMessage, payload, this.boxKey));
      case 'report':
        return void this.reports.push(payload);
      case 'chunk':
        return void this.chunks.push(requireBulk(BlobChunk, payload));
      case 'need':
        return this.#serve(requireBulk(BlobNeed, payload));
    }
  }

  #serve(need: BlobNeed): void {
    this.needs += 1;
    const blob = this.blobs.get(hex(need.digest));
    const chunk = this.tamper(blob === undefined ? { chunk: 'missing', digest: need.digest } : pieceOf(blob, need));
    if (chunk !== undefined) this.say('chunk', encodeBulk(BlobChunk, chunk));
  }
}

/** The first value that `find` gives, asked for again until then. */
export async function until<T>(find: () => T | undefined | false, what = 'it', waitMs = 20_000): Promise<T> {
  const deadlineMs = Date.now() + waitMs;
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadlineMs) throw new Error(`${what} did not happen within ${waitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function signer(privateKey: KeyObject): Sign {
  return (input) => Uint8Array.from(signWith(null, input, privateKey));
}

function pieceOf(blob: Uint8Array, need: BlobNeed): BlobChunk {
  const { offset, bytes } = servedRange(need, blob.length);
  return { chunk: 'content', digest: need.digest, offset, total: blob.length, content: blob.subarray(offset, offset + bytes) };
}

function requireBulk<T>(schema: Schema<T>, payload: Uint8Array): T {
  const decoded = decodeBulk(schema, payload, LIMITS.packetBytesMax);
  if (decoded.status === 'malformed') throw new Error(`the box said something malformed: ${decoded.detail}`);
  return decoded.value;
}

function requireSigned<T>(kind: SignedKind<T>, encoded: Uint8Array, key: KeyPair): T {
  const opened = openSigned(kind, encoded, { algorithm: 'ed25519', publicKey: key.publicKey }, nobleCrypto);
  if (opened.status === 'refused') throw new Error(`the box signed something else: ${opened.detail}`);
  return opened.value;
}

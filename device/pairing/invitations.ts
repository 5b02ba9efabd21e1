/**
 * Invitations that wait at a device, and the answers that were given: `<state>/pairing/<id>.cbor` and `<id>.answer.cbor`,
 * readable by the firmware's account only, since an invitation holds its token. Specification §5.6.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { blobDigest, Digest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { Invitation, type HolderKind } from '#protocol/pairing.ts';
import { bytes, integer, struct, type Infer, type Schema } from '#protocol/schema.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';

/** Where and to whom an invitation leads. */
export interface InvitationPlace {
  readonly kind: HolderKind;
  readonly name: string;
  readonly network: Uint8Array;
  readonly device: string;
  readonly url: string;
  readonly authority: Uint8Array;
}

const Waiting = struct({ invitation: Invitation, attempts: integer({ min: 0, max: MQTT_LIMITS.pairingAttemptsMax }) });
export type Waiting = Infer<typeof Waiting>;

const Answered = struct({
  /** Of the whole request as it came. */
  request: Digest,
  answer: bytes({ max: LIMITS.packetBytesMax }),
  untilMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});

export class Invitations {
  /** To be watched for new ones by the other process. */
  readonly folder: string;

  /** @param stateFolder of the device */
  constructor(stateFolder: string) {
    this.folder = join(stateFolder, 'pairing');
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  create(place: InvitationPlace, nowMs: number): Invitation {
    const [id, token] = [new Uint8Array(randomBytes(16)), new Uint8Array(randomBytes(32))];
    const invitation: Invitation = { version: 1, id, token, expiresAtMs: nowMs + LIMITS.invitationMs, ...place };
    this.#write({ invitation, attempts: 0 });
    return invitation;
  }

  find(id: string): Waiting | undefined {
    return this.#read(`${id}.cbor`, Waiting);
  }

  list(): Waiting[] {
    return this.#ids('.cbor').flatMap((id) => this.find(id) ?? []);
  }

  /** Counts a wrong attempt; after too many the invitation is withdrawn. */
  countWrongAttempt(id: string, { invitation, attempts }: Waiting): 'withdrawn' | 'waiting' {
    if (attempts + 1 >= MQTT_LIMITS.pairingAttemptsMax) {
      this.withdraw(id);
      return 'withdrawn';
    }
    this.#write({ invitation, attempts: attempts + 1 });
    return 'waiting';
  }

  /** Withdraws what waits for this name. Returns whether there was anything. */
  withdrawFor(kind: HolderKind, name: string): boolean {
    const waiting = this.list().filter(({ invitation }) => invitation.kind === kind && invitation.name === name);
    for (const { invitation } of waiting) this.withdraw(invitation.id.toHex());
    return waiting.length > 0;
  }

  withdraw(id: string): void {
    rmSync(join(this.folder, `${id}.cbor`), { force: true });
  }

  /** The one use of an invitation: the answer stays for a while, the invitation goes. */
  use(id: string, request: Uint8Array, answer: Uint8Array, nowMs: number): void {
    const answered = encodeStrict(Answered, { request: blobDigest(request), answer, untilMs: nowMs + MQTT_LIMITS.pairingAnswerMs });
    writeWholeFile(join(this.folder, `${id}.answer.cbor`), answered, 0o600);
    this.withdraw(id);
  }

  /** What this very request was answered before. */
  answerTo(id: string, request: Uint8Array): Uint8Array | undefined {
    const answered = this.#read(`${id}.answer.cbor`, Answered);
    return answered && answered.request.toHex() === blobDigest(request).toHex() ? answered.answer : undefined;
  }

  /** Drops what is over. Returns when the next is, or `undefined` when nothing waits. */
  dropExpired(nowMs: number): number | undefined {
    const ends = [
      ...this.list().map(({ invitation }) => ({ file: `${invitation.id.toHex()}.cbor`, atMs: invitation.expiresAtMs })),
      ...this.#ids('.answer.cbor').map((id) => ({
        file: `${id}.answer.cbor`,
        atMs: this.#read(`${id}.answer.cbor`, Answered)?.untilMs ?? 0,
      })),
    ];
    for (const { file } of ends.filter(({ atMs }) => atMs <= nowMs)) rmSync(join(this.folder, file), { force: true });
    const open = ends.map(({ atMs }) => atMs).filter((atMs) => atMs > nowMs);
    return open.length > 0 ? Math.min(...open) : undefined;
  }

  #write(waiting: Waiting): void {
    writeWholeFile(join(this.folder, `${waiting.invitation.id.toHex()}.cbor`), encodeStrict(Waiting, waiting), 0o600);
  }

  #ids(ending: string): string[] {
    const ids = readdirSync(this.folder)
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length));
    return ids.filter(isInvitationId);
  }

  /** Nothing where there is no such file. An id from a topic is judged before it becomes a file name. */
  #read<T>(name: string, schema: Schema<T>): T | undefined {
    if (!isInvitationId(name.split('.')[0] ?? '')) return undefined;
    const file = join(this.folder, name);
    let content: Uint8Array;
    try {
      content = new Uint8Array(readFileSync(file));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const decoded = decodeStrict(schema, content, LIMITS.packetBytesMax + MQTT_LIMITS.pairingFileBytesMax);
    if (decoded.status === 'malformed') throw new Error(`${file} is damaged: ${decoded.detail}; remove it and invite again`);
    return decoded.value;
  }
}

function isInvitationId(words: string): boolean {
  return /^[0-9a-f]{32}$/.test(words);
}

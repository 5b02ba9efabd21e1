/**
 * The registry of a device: which clients and boxes have a certificate, and which certificates were taken back. A file
 * for each, so that `npm run pair` and the firmware, two processes, need nothing but rename(2) to agree. Specification §5.3.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { HOLDER_KINDS, type HolderKind } from '#protocol/pairing-code.ts';
import { fixedBytes, integer, oneOf, optional, struct, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { PeerAuthority } from '../mqtt/authority.ts';
import type { RevokedSerial } from '../mqtt/certificate.ts';
import type { Trust } from '../mqtt/device-broker.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

const PairedName = struct({
  kind: oneOf(...HOLDER_KINDS),
  name: Name,
  /** Ed25519, of a box. */
  signingKey: optional(fixedBytes(32)),
  serial: fixedBytes(16),
  /** SHA-256 of the certificate. */
  fingerprint: fixedBytes(32),
  /** SHA-256 of the public key in it; absent where it was not noted, which is as if the keys were others. */
  key: optional(Digest),
  /** Id of the window through which it came. */
  invitation: fixedBytes(16),
  pairedAtMs: UnixMs,
  expiresAtMs: UnixMs,
  removedAtMs: optional(UnixMs),
});
export type PairedName = Infer<typeof PairedName>;

export class PairedNames {
  readonly #stateFolder: string;

  /** @param stateFolder of the device */
  constructor(stateFolder: string) {
    this.#stateFolder = stateFolder;
    for (const folder of this.folders) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** To be watched for changes by the other process. */
  get folders(): readonly string[] {
    return ['clients', 'boxes', 'removed'].map((name) => join(this.#stateFolder, name));
  }

  /** Those with a certificate that was not taken back, by name. */
  paired(kind: HolderKind): PairedName[] {
    return readRecords(this.#folderOf(kind)).filter((record) => !existsSync(this.#removedFile(record)));
  }

  find(kind: HolderKind, name: string): PairedName | undefined {
    return this.paired(kind).find((record) => record.name === name);
  }

  /** Boxes with the key that checks what they sign. */
  boxes(): { readonly name: string; readonly signingKey: Uint8Array }[] {
    return this.paired('box').flatMap(({ name, signingKey }) => (signingKey ? [{ name, signingKey }] : []));
  }

  isFull(): boolean {
    return this.folders.reduce((count, folder) => count + readdirSync(folder).length, 0) >= MQTT_LIMITS.pairedNamesMax;
  }

  add(record: PairedName): void {
    writeWholeFile(join(this.#folderOf(record.kind), `${record.name}.cbor`), encodeStrict(PairedName, record), 0o600);
  }

  /** Gives the name a new certificate and takes the earlier one back. */
  replace(earlier: PairedName, record: PairedName, nowMs: number): void {
    writeWholeFile(this.#removedFile(earlier), encodeStrict(PairedName, { ...earlier, removedAtMs: nowMs }), 0o600);
    this.add(record);
  }

  /** Takes the certificate back; the name is free again. Returns whether there was such a name. */
  remove(kind: HolderKind, name: string, nowMs: number): boolean {
    const record = this.find(kind, name);
    if (!record) return false;
    writeWholeFile(this.#removedFile(record), encodeStrict(PairedName, { ...record, removedAtMs: nowMs }), 0o600);
    rmSync(join(this.#folderOf(kind), `${name}.cbor`), { force: true });
    return true;
  }

  /** Forgets certificates that were taken back and have expired since. */
  forgetExpired(nowMs: number): void {
    for (const record of this.#removed().filter(({ expiresAtMs }) => expiresAtMs < nowMs))
      rmSync(this.#removedFile(record), { force: true });
  }

  /** Whom the device's broker shall trust. @param peerAuthorities of the other members */
  trust(peerAuthorities: readonly PeerAuthority[]): Trust {
    const removed = this.#removed();
    const revoked = (kind: HolderKind): RevokedSerial[] =>
      removed
        .filter((record) => record.kind === kind)
        .map(({ serial, removedAtMs }) => ({ serial, revokedAt: new Date(removedAtMs ?? 0) }));
    return { peerAuthorities, revokedClients: revoked('client'), revokedBoxes: revoked('box') };
  }

  #removed(): PairedName[] {
    return readRecords(join(this.#stateFolder, 'removed'));
  }

  #folderOf(kind: HolderKind): string {
    return join(this.#stateFolder, kind === 'client' ? 'clients' : 'boxes');
  }

  #removedFile({ kind, serial }: PairedName): string {
    return join(this.#stateFolder, 'removed', `${kind}-${serial.toHex()}.cbor`);
  }
}

function readRecords(folder: string): PairedName[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cbor'))
    .sort()
    .flatMap((name) => readRecord(join(folder, name)));
}

function readRecord(file: string): PairedName[] {
  const content = contentOf(file);
  if (!content) return [];
  const decoded = decodeStrict(PairedName, content, MQTT_LIMITS.pairingFileBytesMax);
  if (decoded.status === 'malformed') throw new Error(`${file} is damaged: ${decoded.detail}; remove it and pair again`);
  return [decoded.value];
}

/** Nothing where the other process has just removed it. */
function contentOf(file: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

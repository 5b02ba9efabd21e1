/** The judgement of a submission: may this client run this capsule here? Pure. Specification §7.3. */
import { capsuleIdOf } from '#protocol/capsule.ts';
import { Submission, WrittenSubmission, type Refusal } from '#protocol/client-messages.ts';
import { decodeBulk, decodeJson, encodeForeign, sameBytes } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, decodeManifest, Manifest, manifestFrom, type CapsuleFile } from '#protocol/manifest.ts';
import { harmless } from '#protocol/schema.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { ClientNotation } from '../store/store.ts';

/** What the judgement needs to know of the device at this moment. */
export interface GatewayView {
  /** Runtimes of the boxes that the members offer on the chain, by box. */
  readonly runtimesByBox: ReadonlyMap<string, readonly string[]>;
  readonly openCapsules: number;
  readonly openCapsulesOfClient: number;
  readonly freeBytes: number;
  readonly atMs: number;
}

export interface ReadSubmission {
  readonly status: 'read';
  readonly capsule: string;
  readonly digest: Uint8Array;
  readonly request: Uint8Array;
  readonly manifest: Manifest;
  readonly encodedManifest: Uint8Array;
  /** Blobs that came inside the submission, by hexadecimal digest. */
  readonly content: ReadonlyMap<string, Uint8Array>;
}

export interface RefusedSubmission {
  readonly status: 'refused';
  readonly reason: Refusal;
  readonly detail: string;
}

/** @param freshRequest 16 random bytes, taken as the request id where the submission has none */
export function readSubmission(
  submission: { client: string; notation: ClientNotation; payload: Uint8Array; freshRequest: Uint8Array },
  place: { network: Uint8Array; device: string; atMs: number },
): ReadSubmission | RefusedSubmission {
  const given = submission.notation === 'json' ? readWritten(submission, place.atMs) : readWire(submission.payload, place.network);
  if ('status' in given) return given;
  const manifest = decodeManifest(given.encodedManifest);
  if (manifest.status === 'malformed') return refused('malformed', manifest.detail);
  const digest = capsuleDigest(given.encodedManifest);
  const { network, device } = place;
  const capsule = capsuleIdOf({ network, device, client: submission.client, request: given.request, capsule: digest });
  return { ...given, status: 'read', capsule, digest, manifest: manifest.value };
}

/** Why the device can't take this capsule now; undefined when it can. */
export function judgeManifest(manifest: Manifest, view: GatewayView): RefusedSubmission | undefined {
  return refusalOfPolicy(manifest, view) ?? refusalOfRuntime(manifest, view) ?? refusalOfRoom(manifest, view);
}

interface Given {
  readonly request: Uint8Array;
  readonly encodedManifest: Uint8Array;
  readonly content: ReadonlyMap<string, Uint8Array>;
}

function readWire(payload: Uint8Array, expected: Uint8Array): Given | RefusedSubmission {
  const decoded = decodeBulk(Submission, payload, LIMITS.packetBytesMax);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const { network, request, manifest } = decoded.value;
  if (!sameBytes(network, expected)) {
    return refused('foreign-network', `this device belongs to network ${label(expected)}, the submission is for ${label(network)}`);
  }
  return { request, encodedManifest: manifest, content: new Map() };
}

function readWritten(submission: { payload: Uint8Array; freshRequest: Uint8Array }, atMs: number): Given | RefusedSubmission {
  const decoded = decodeJson(WrittenSubmission, submission.payload, LIMITS.packetBytesMax);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const { files, content = {}, request = submission.freshRequest } = decoded.value;
  if (files) return refused('malformed', 'over MQTT there is no folder to take "files" from; put the text of each file into "content"');
  if (Object.keys(content).length === 0) return refused('malformed', 'the capsule has no files; put the text of each file into "content"');
  const { found, blobs } = filesFrom(content);
  const manifest = encodeForeign(Manifest, manifestFrom(decoded.value, found, atMs));
  if (manifest.status === 'malformed') return refused('malformed', manifest.detail);
  return { request, encodedManifest: manifest.value, content: blobs };
}

function filesFrom(content: Record<string, string>): { found: CapsuleFile[]; blobs: Map<string, Uint8Array> } {
  const blobs = new Map<string, Uint8Array>();
  const found = Object.entries(content).map(([path, words]) => {
    const blob = new TextEncoder().encode(words);
    const digest = blobDigest(blob);
    blobs.set(hex(digest), blob);
    return { path, digest, bytes: blob.length };
  });
  return { found, blobs };
}

function refusalOfPolicy({ policy }: Manifest, view: GatewayView): RefusedSubmission | undefined {
  if (policy.replicas !== 1) {
    return refused(
      'unsupported-policy',
      `${policy.replicas} replicas need boxes whose results are compared, which this version lacks; ask for 1`,
    );
  }
  if (policy.deadlineMs !== undefined && policy.deadlineMs <= view.atMs) return refused('deadline-passed', 'the deadline lies in the past');
  return undefined;
}

function refusalOfRuntime({ runtime }: Manifest, view: GatewayView): RefusedSubmission | undefined {
  if (view.runtimesByBox.size === 0)
    return refused(
      'no-box',
      'the chain has no box for this device: no member offers one yet (pair one, and start its agent), or this device is not a member',
    );
  const known = [...new Set([...view.runtimesByBox.values()].flat())].sort();
  if (known.includes(runtime)) return undefined;
  return refused('unknown-runtime', `no box of the network has the runtime "${runtime}"; there are ${known.join(', ')}`);
}

function refusalOfRoom(manifest: Manifest, view: GatewayView): RefusedSubmission | undefined {
  if (view.openCapsulesOfClient >= DEVICE_LIMITS.openCapsulesPerClientMax) {
    return refused(
      'queue-full',
      `you have ${view.openCapsulesOfClient} capsules that have not ended; at most ${DEVICE_LIMITS.openCapsulesPerClientMax} are kept`,
    );
  }
  if (view.openCapsules >= DEVICE_LIMITS.openCapsulesMax)
    return refused('queue-full', 'this device holds as many capsules as it can; try again later');
  const neededBytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0) + manifest.limits.outputBytes;
  if (view.freeBytes - neededBytes < DEVICE_LIMITS.freeBytesMin) {
    return refused(
      'disk-full',
      `the capsule may need ${neededBytes} bytes; the device has ${view.freeBytes} free and keeps ${DEVICE_LIMITS.freeBytesMin}`,
    );
  }
  return undefined;
}

function refused(reason: Refusal, detail: string): RefusedSubmission {
  return { status: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) };
}

function label(network: Uint8Array): string {
  return hex(network.subarray(0, 8));
}

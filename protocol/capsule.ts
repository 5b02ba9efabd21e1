/** A capsule's life: its id and the states it goes through, one union for device, agent, client and receipt. Specification §7.2. */
import { domainDigest, hex } from './digest.ts';
import { fixedBytes, oneOf, text } from './schema.ts';

/** In the order of a good life; the last five end it. */
export const CAPSULE_STATES = [
  'submitted',
  'ordered',
  'assigned',
  'measured',
  'running',
  'reported',
  'agreed',
  'disputed',
  'failed',
  'cancelled',
  'expired',
] as const;
export const CapsuleState = oneOf(...CAPSULE_STATES);
export type CapsuleState = (typeof CAPSULE_STATES)[number];

const END_STATES: readonly CapsuleState[] = ['agreed', 'disputed', 'failed', 'cancelled', 'expired'];

export function hasEnded(state: CapsuleState): boolean {
  return END_STATES.includes(state);
}

/** What a device holds against a run of its box (§17.5). */
export const DISPUTE_REASONS = ['readings-contradict', 'box-opened'] as const;

/** Why a capsule has no result, or not the wished one. */
export const END_REASONS = [
  'exit-status',
  'wall-time',
  'cpu-time',
  'memory',
  'processes',
  'log-flood',
  'output-size',
  'output-files',
  'signal',
  'runtime-missing',
  'entry-missing',
  'sandbox-unavailable',
  'blob-missing',
  'blob-wrong',
  'disk-full',
  'box-evidence-refused',
  'trust-lacking',
  'box-lost',
  'agent-restarted',
  'deadline',
  'cancelled-by-client',
  'box-fenced',
  ...DISPUTE_REASONS,
] as const;
export const EndReason = oneOf(...END_REASONS);
export type EndReason = (typeof END_REASONS)[number];

/** 16 bytes that the client chose for a request, so that sending it again means the same capsule. */
export const RequestId = fixedBytes(16);

/** A capsule's id as it stands in topics and file names: 32 hexadecimal digits. */
export const CapsuleId = text({ min: 32, max: 32, pattern: /^[0-9a-f]{32}$/, like: '32 hexadecimal digits' });

/** Who asks, and which time: what the chain is shown of it. */
export function requestDigestOf(client: string, request: Uint8Array): Uint8Array {
  return domainDigest('capsule-request', new TextEncoder().encode(client), request);
}

/** The id that follows from what the chain is shown; `device` is the gateway's name. */
export function capsuleIdFrom(shown: { network: Uint8Array; device: string; requestDigest: Uint8Array; capsule: Uint8Array }): string {
  const { network, device, requestDigest, capsule } = shown;
  return hex(domainDigest('capsule', network, new TextEncoder().encode(device), requestDigest, capsule).subarray(0, 16));
}

/** The id follows from who asks whom for what, so a repeated request is the same capsule. */
export function capsuleIdOf(submission: {
  network: Uint8Array;
  device: string;
  client: string;
  request: Uint8Array;
  capsule: Uint8Array;
}): string {
  const { network, device, client, request, capsule } = submission;
  return capsuleIdFrom({ network, device, requestDigest: requestDigestOf(client, request), capsule });
}

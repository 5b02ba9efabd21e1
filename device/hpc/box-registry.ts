/** The boxes of a device: who is paired, what each said of itself, and when it was last heard. Pure. Specification §6.1. */
import type { Hello } from '#protocol/box-messages.ts';
import { sameBytes } from '#protocol/codec.ts';
import { DEVICE_LIMITS } from '../limits.ts';

/** A box as the device took it over at pairing. */
export interface PairedBox {
  readonly name: string;
  /** Ed25519 public key, 32 bytes. */
  readonly signingKey: Uint8Array;
}

export interface KnownBox extends PairedBox {
  readonly hello?: Hello;
  readonly heardAtMs?: number;
}

export type BoxRegistry = ReadonlyMap<string, KnownBox>;

/**
 * What was heard of a box stays when its pairing is read again; a box that is no longer paired is gone, and one that is paired with
 * another key was not heard yet.
 * @param remembered what a box said of itself before this program started; it is not present by that
 */
export function withPairings(
  registry: BoxRegistry,
  paired: readonly PairedBox[],
  remembered: (name: string) => Hello | undefined,
): BoxRegistry {
  return new Map(paired.map((box) => [box.name, { ...knownOf(box, registry, remembered), ...box }]));
}

function knownOf(
  { name, signingKey }: PairedBox,
  registry: BoxRegistry,
  remembered: (name: string) => Hello | undefined,
): { hello?: Hello; heardAtMs?: number } {
  const known = registry.get(name);
  if (known) return sameBytes(known.signingKey, signingKey) ? known : {};
  const hello = remembered(name);
  return hello ? { hello } : {};
}

export function withHeard(registry: BoxRegistry, name: string, atMs: number, hello?: Hello): BoxRegistry {
  const box = registry.get(name);
  return box ? new Map(registry).set(name, { ...box, heardAtMs: atMs, ...(hello ? { hello } : {}) }) : registry;
}

/** Whether a box has been heard of recently enough to be counted on. */
export function isPresent(box: KnownBox, atMs: number): boolean {
  return box.hello !== undefined && box.heardAtMs !== undefined && atMs - box.heardAtMs <= DEVICE_LIMITS.boxSilenceMaxMs;
}

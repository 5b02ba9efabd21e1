/** The boxes of this device as it knows them now, and what each last said of itself kept over restarts. Specification §6.1. */
import { Hello } from '#protocol/box-messages.ts';
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { OfferedBox } from '#protocol/chain/transaction.ts';
import type { Clock, Log } from '../ports.ts';
import type { Store } from '../store/store.ts';
import { isPresent, withHeard, withPairings, type BoxRegistry, type KnownBox, type PairedBox } from './box-registry.ts';
import { BOX_LIMITS } from './limits.ts';
import { offersOf, type OfferedHow } from './offers.ts';

export class Boxes {
  readonly #store: Store;
  readonly #now: Clock;
  readonly #log: Log;
  readonly #sinceMs: number;
  #registry: BoxRegistry = new Map();
  #areTold = false;
  /** What is on the disk of each box, and since when. */
  readonly #kept = new Map<string, { readonly hello: Uint8Array; readonly atMs: number }>();

  constructor({ store, now, log }: { store: Store; now: Clock; log: Log }) {
    this.#store = store;
    this.#now = now;
    this.#log = log;
    this.#sinceMs = now();
  }

  setPaired(paired: readonly PairedBox[]): void {
    this.#registry = withPairings(this.#registry, paired, (name) => this.#remembered(name));
    this.#areTold = true;
  }

  /** Whether it is known which boxes are paired: just after a start nobody has said so yet. */
  get areTold(): boolean {
    return this.#areTold;
  }

  names(): readonly string[] {
    return [...this.#registry.keys()];
  }

  all(): readonly PairedBox[] {
    return [...this.#registry.values()];
  }

  find(name: string): KnownBox | undefined {
    return this.#registry.get(name);
  }

  /** For how long nothing was heard of a box, in ms; at most since this program started. */
  silenceMs(name: string): number {
    return this.#now() - (this.#registry.get(name)?.heardAtMs ?? this.#sinceMs);
  }

  /** As the chain shall have them. @param onChain what it has */
  offers(onChain: readonly OfferedBox[], how: OfferedHow): OfferedBox[] {
    return offersOf(this.#registry, onChain, { sinceMs: this.#sinceMs, atMs: this.#now() }, how);
  }

  heard(name: string): void {
    this.#registry = withHeard(this.#registry, name, this.#now());
  }

  /** @param before the box as it was known until it said this */
  introduced(before: KnownBox, hello: Hello): void {
    const { name } = before;
    this.#registry = withHeard(this.#registry, name, this.#now(), hello);
    this.#keep(name, lastingOf(hello));
    if (isPresent(before, this.#now())) return;
    this.#log('boxPresent', { box: name, runtimes: hello.software.runtimes.map((runtime) => runtime.name).join(' ') });
  }

  /** When it differs, and so often at most: the next hello brings what was left out. */
  #keep(name: string, hello: Uint8Array): void {
    const kept = this.#kept.get(name) ?? { hello: this.#store.memory(helloMemory(name)), atMs: -Infinity };
    const atMs = this.#now();
    if (kept.hello && sameBytes(hello, kept.hello)) return;
    if (atMs >= kept.atMs && atMs - kept.atMs < BOX_LIMITS.helloKeptEveryMs) return;
    this.#store.setMemory(helloMemory(name), hello);
    this.#kept.set(name, { hello, atMs });
  }

  #remembered(name: string): Hello | undefined {
    const memory = this.#store.memory(helloMemory(name));
    const decoded = memory ? decodeStrict(Hello, memory, LIMITS.packetBytesMax) : undefined;
    return decoded?.status === 'decoded' ? decoded.value : undefined;
  }
}

/** What is the same at its next hello, as long as it is the same machine. */
function lastingOf({ uptimeS: _, ...hello }: Hello): Uint8Array {
  return encodeStrict(Hello, { ...hello, runs: [] });
}

function helloMemory(box: string): string {
  return `hello/${box}`;
}

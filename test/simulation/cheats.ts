/** What becomes of a cheating member's letters on their way: dropped, kept back, said to some only, or changed. */
import { blobDigest } from '#protocol/digest.ts';
import { readBlock } from '#protocol/chain/block.ts';
import type { Chance, Chances } from './chance.ts';
import type { EventQueue } from './event-queue.ts';
import type { Host, Outgoing } from './host.ts';
import { mutated, type Memory } from './mutation.ts';
import { lie, nuisances } from './nuisance.ts';
import type { Scenario } from './scenario.ts';

/** Posts to one host. */
export type Post = (from: Host, to: number, outgoing: Outgoing) => void;

export interface Cheats {
  /** In the place of posting what the core says. @param peers indices of the hosts that would get it */
  post(host: Host, outgoing: Outgoing, peers: readonly number[]): void;
  /** What it hears, for later. */
  hear(host: Host, outgoing: Outgoing): void;
  /** Begins what it does on its own account. */
  begin(host: Host, peers: () => readonly number[], honest: readonly Uint8Array[]): void;
  readonly counts: { mutations: number; nuisances: number };
}

const rememberedMax = 200;

export interface CheatedWorld {
  readonly scenario: Scenario;
  readonly chances: Chances;
  readonly queue: EventQueue;
  /** Network id. */
  readonly network: Uint8Array;
  readonly founders: readonly Uint8Array[];
}

export function createCheats({ scenario, chances, queue, network, founders }: CheatedWorld, send: Post): Cheats {
  const memories = new Map<number, Memory>();
  const streams = new Map<number, Chance>();
  const counts = { mutations: 0, nuisances: 0 };
  const memoryOf = (host: Host): Memory => {
    const known = memories.get(host.index) ?? { values: [], payloads: [], nodes: founders };
    memories.set(host.index, known);
    return known;
  };
  const chanceOf = (host: Host): Chance => {
    const known = streams.get(host.index) ?? chances('cheat', host.index);
    streams.set(host.index, known);
    return known;
  };
  const changed = (host: Host, outgoing: Outgoing): Uint8Array => {
    const chance = chanceOf(host);
    const { behaviours } = host;
    if (behaviours.includes('lying') && outgoing.kind === 'response' && chance.happens(0.5))
      return lie(outgoing.payload, memoryOf(host), chance);
    if (!behaviours.includes('mutating') || !chance.happens(0.4)) return outgoing.payload;
    const timeMs = Math.floor(host.chip.clock.read(queue.nowMs));
    const made = mutated(host, outgoing, memoryOf(host), chance, { timeMs, resetCount: host.chip.resetCount(), restartCount: 0 });
    if (made) counts.mutations += 1;
    return made ?? outgoing.payload;
  };
  return {
    counts,
    post: (host, outgoing, peers) => {
      remember(memoryOf(host), outgoing);
      if (host.behaviours.includes('silent')) return;
      const chance = chanceOf(host);
      const heard = host.behaviours.includes('selective') ? chance.some(peers, 0.5) : peers;
      const held = host.behaviours.includes('withholding') && outgoing.kind === 'block';
      const delayMs = held && chance.happens(0.7) ? chance.exponential(scenario.targetIntervalMs * 2) : 0;
      for (const to of heard) {
        const payload = changed(host, outgoing);
        if (delayMs === 0) send(host, to, { ...outgoing, payload });
        else queue.after(delayMs, () => send(host, to, { ...outgoing, payload }));
      }
    },
    hear: (host, outgoing) => remember(memoryOf(host), outgoing),
    begin: (host, peers, honest) => {
      const busy = host.behaviours.some((behaviour) => nuisanceBehaviours.includes(behaviour));
      if (!busy || honest.length === 0) return;
      const chance = chances('nuisance', host.index);
      const next = (): void => {
        queue.after(chance.exponential(scenario.targetIntervalMs * 2), () => {
          for (const outgoing of nuisances(host, memoryOf(host), chance, network, honest)) {
            counts.nuisances += 1;
            for (const to of peers()) send(host, to, outgoing);
          }
          next();
        });
      };
      next();
    },
  };
}

const nuisanceBehaviours: readonly string[] = ['flooding', 'replaying', 'lying', 'invalid-transactions'];

function remember({ values, payloads }: Memory, outgoing: Outgoing): void {
  payloads.push({ ...outgoing, to: 'everyone' });
  if (payloads.length > rememberedMax) payloads.shift();
  if (outgoing.kind !== 'block') return;
  const read = readBlock(outgoing.payload);
  values.push(read.status === 'decoded' ? read.value.id : blobDigest(outgoing.payload));
  if (values.length > rememberedMax) values.shift();
}

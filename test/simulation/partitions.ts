/** Partitions that come and go: halves, one member cut off, one direction only, random pairs. */
import type { Chance, Chances } from './chance.ts';
import type { EventQueue } from './event-queue.ts';
import type { Links } from './links.ts';
import type { Scenario } from './scenario.ts';

type Pair = readonly [from: number, to: number];

/** @param hosts how many there are at the moment @param note says what happens */
export function playPartitions(
  scenario: Scenario,
  chances: Chances,
  queue: EventQueue,
  links: Links,
  hosts: () => number,
  note: (text: string) => void,
): void {
  if (!scenario.faults.has('partition')) return;
  const chance = chances('partition');
  const next = (): void => {
    const startsAtMs = queue.nowMs + chance.exponential(scenario.network.partitionEveryMs);
    if (startsAtMs > scenario.faultsEndMs) return;
    queue.at(startsAtMs, () => {
      const { kind, pairs } = drawnPartition(chance, hosts());
      note(`network: ${kind}`);
      for (const [from, to] of pairs) links.cut(from, to);
      queue.after(chance.exponential(scenario.network.partitionMeanMs), () => {
        note(`network: ${kind} mended`);
        for (const [from, to] of pairs) links.mend(from, to);
      });
      next();
    });
  };
  next();
}

export function drawnPartition(chance: Chance, hosts: number): { readonly kind: string; readonly pairs: readonly Pair[] } {
  const all = Array.from({ length: hosts }, (_, index) => index);
  const pairs = all.flatMap((from) => all.filter((to) => to !== from).map((to) => [from, to] as const));
  switch (chance.pick(['groups', 'alone', 'one-way', 'pairs'] as const)) {
    case 'groups': {
      const group = all.map(() => chance.below(2));
      return { kind: `groups ${group.join('')}`, pairs: pairs.filter(([from, to]) => group[from] !== group[to]) };
    }
    case 'alone': {
      const lonely = chance.below(hosts);
      return { kind: `host ${lonely} alone`, pairs: pairs.filter(([from, to]) => from === lonely || to === lonely) };
    }
    case 'one-way': {
      const mute = chance.below(hosts);
      const speaks = chance.happens(0.5);
      return {
        kind: `host ${mute} ${speaks ? 'hears nothing' : 'is not heard'}`,
        pairs: pairs.filter(([from, to]) => (speaks ? to === mute : from === mute)),
      };
    }
    case 'pairs':
      return { kind: 'some pairs apart', pairs: chance.some(pairs, 0.4) };
  }
}

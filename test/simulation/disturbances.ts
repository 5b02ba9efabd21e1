/** What befalls hosts: they die and come back, their disks are damaged, their clocks jump, their chips lose power. */
import type { Chance, Chances } from './chance.ts';
import type { EventQueue } from './event-queue.ts';
import type { Host } from './host.ts';
import type { Scenario } from './scenario.ts';

export interface Disturbances {
  begin(): void;
  /** A host has died, for whatever reason: it comes back. */
  died(host: Host): void;
}

export interface DisturbedWorld {
  readonly scenario: Scenario;
  readonly chances: Chances;
  readonly queue: EventQueue;
  readonly hosts: readonly Host[];
  readonly note: (text: string) => void;
}

/** A crash happens between two of the next so many effects; some are at once. */
const effectsAheadMax = 7;
const restartMs = 100;

export function createDisturbances(world: DisturbedWorld): Disturbances {
  const { scenario, chances, queue, hosts } = world;
  const { faults, faultsEndMs } = scenario;
  const streams = new Map<number, Chance>();
  const downOf = (host: Host): Chance => {
    const known = streams.get(host.index) ?? chances('down', host.index);
    streams.set(host.index, known);
    return known;
  };
  return {
    begin: () => {
      for (const host of hosts) {
        if (faults.has('crash'))
          repeat(queue, faultsEndMs, chances('crash', host.index), scenario.crashEveryMs, (chance) => {
            host.crash('killed', chance.below(effectsAheadMax));
          });
        if (faults.has('tpm-reset'))
          repeat(queue, faultsEndMs, chances('reset', host.index), scenario.tpmResetEveryMs, () => {
            world.note(`host ${host.index}: power fails, the TPM is reset`);
            host.chip.reset();
            host.crash('power failed');
          });
      }
      if (faults.has('clock-jump')) jumpClocks(world, chances('jump'));
    },
    died: (host) => {
      const chance = downOf(host);
      const downMs = chance.exponential(scenario.downMeanMs);
      const damages = faults.has('disk-damage') && queue.nowMs < faultsEndMs;
      const others = hosts.filter((other) => other !== host && other.honest).map(({ disk }) => disk);
      const damaged = damages ? host.disk.damage(chances('damage', host.index, host.starts), scenario.damageShare, others) : 0;
      if (damaged > 0) world.note(`host ${host.index}: ${damaged} records damaged`);
      queue.at(Math.min(queue.nowMs + downMs, Math.max(faultsEndMs, queue.nowMs + restartMs)), () => host.start());
    },
  };
}

/** One host at a time: more clocks that are wrong by more than the skew than may be faulty are beyond what is promised. */
function jumpClocks({ scenario, queue, hosts, note }: DisturbedWorld, chance: Chance): void {
  repeat(queue, scenario.faultsEndMs, chance, scenario.jumpEveryMs, () => {
    const host = chance.pick(hosts);
    const jumpMs = Math.floor(chance.between(-scenario.jumpMaxMs, scenario.jumpMaxMs));
    for (const other of hosts) if (queue.nowMs < scenario.faultsEndMs) other.setUnixOffset(0);
    note(`host ${host.index}: its clock jumps by ${jumpMs} ms`);
    host.setUnixOffset(jumpMs);
  });
}

function repeat(queue: EventQueue, untilMs: number, chance: Chance, everyMs: number, happen: (chance: Chance) => void): void {
  const atMs = queue.nowMs + chance.exponential(everyMs);
  if (atMs >= untilMs) return;
  queue.at(atMs, () => {
    happen(chance);
    repeat(queue, untilMs, chance, everyMs, happen);
  });
}

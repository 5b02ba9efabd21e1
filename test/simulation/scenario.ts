/** What a seed means: who takes part, which faults the world has and how badly, who cheats, and what is promised. Specification §13.5. */
import type { TrustParameters } from '#protocol/network.ts';
import { chancesOf, type Chance, type Chances } from './chance.ts';

export const FAULTS = [
  'loss',
  'duplication',
  'replay',
  'delay',
  'partition',
  'crash',
  'disk-damage',
  'disk-failure',
  'clock-rate',
  'clock-jump',
  'tpm-slow',
  'tpm-failure',
  'tpm-reset',
  'cheating',
  'membership',
  'workload',
] as const;
export type Fault = (typeof FAULTS)[number];

export const BEHAVIOURS = [
  'silent',
  'forged-chip',
  'fast-clock',
  'withholding',
  'twins',
  'lying',
  'flooding',
  'replaying',
  'invalid-transactions',
  'mutating',
  'selective',
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** Software that no release knows; a false word for every piece of evidence. */
export type Role = 'tampered' | 'false-judge';

/**
 * With at most f cheats: agreement, and progress once the faults stop. With more silent ones: agreement alone. With more
 * that contradict themselves: whoever sees two certificates for one number has the names of f + 1.
 */
export type Promised = 'agreement-and-progress' | 'agreement' | 'accountability';

export interface Scenario {
  readonly seed: number;
  readonly signatures: 'pretended' | 'real';
  /** Founding members. */
  readonly members: number;
  /** Of the genesis, where members judge one another. */
  readonly trust?: TrustParameters;
  /** Members that are honest but for this, by index. */
  readonly roles: ReadonlyMap<number, Role>;
  /** Members that apply while the world runs. */
  readonly joiners: number;
  readonly leavers: number;
  readonly targetIntervalMs: number;
  readonly minimumWaitMs: number;
  readonly epochHeights: number;
  /** Faults happen until then; afterwards the network has to recover. */
  readonly faultsEndMs: number;
  readonly faults: ReadonlySet<Fault>;
  readonly promised: Promised;
  /** Index of the member, and what it does. */
  readonly cheats: ReadonlyMap<number, readonly Behaviour[]>;
  readonly network: {
    readonly lossShare: number;
    readonly duplicateShare: number;
    readonly replayShare: number;
    readonly delayMeanMs: number;
    readonly spikeShare: number;
    readonly spikeMeanMs: number;
    readonly partitionEveryMs: number;
    readonly partitionMeanMs: number;
  };
  readonly crashEveryMs: number;
  readonly downMeanMs: number;
  /** Of each record, at a crash. */
  readonly damageShare: number;
  readonly diskFailureShare: number;
  /** Largest departure from the true rate. */
  readonly rateSpread: number;
  readonly jumpEveryMs: number;
  readonly jumpMaxMs: number;
  readonly tpmMinMs: number;
  readonly tpmMaxMs: number;
  readonly tpmFailureShare: number;
  readonly tpmResetEveryMs: number;
  readonly submissionsEveryMs: number;
}

export interface Wishes {
  readonly without?: readonly Fault[];
  readonly members?: number;
  readonly hours?: number;
  readonly signatures?: Scenario['signatures'];
  readonly promised?: Promised;
  readonly cheats?: ReadonlyMap<number, readonly Behaviour[]>;
  readonly heights?: number;
  readonly trust?: boolean;
  readonly roles?: ReadonlyMap<number, Role>;
}

/** Every so many seeds signatures are real. */
const realEvery = 20;

/**
 * Faults that are beyond what is promised. Where more than a third is silent, nothing is certified, and a block that the disks of
 * the few others lose is lost: whoever has made it may not make that height again.
 */
const beyond: Readonly<Record<Promised, readonly Fault[]>> = {
  'agreement-and-progress': [],
  agreement: ['disk-damage'],
  accountability: [],
};

/** Each part is drawn from a stream of its own, so that a wish about one changes no other. */
export function scenarioOf(seed: number, wishes: Wishes = {}): Scenario {
  const chances = chancesOf(seed);
  const draw = (concern: string): Chance => chances('scenario', concern);
  const members = wishes.members ?? drawnMembers(draw('members'));
  const targetIntervalMs = draw('interval').pick([1_000, 5_000, 20_000, 20_000, 60_000, 600_000]);
  const signatures = wishes.signatures ?? (seed % realEvery === 0 ? 'real' : 'pretended');
  // Events grow with the square of the members, and more with real signatures.
  const heights = wishes.heights ?? Math.ceil(draw('heights').between(300, 700) / members / (signatures === 'real' ? 2 : 1));
  const promised = wishes.promised ?? drawnPromise(draw('promise'), members);
  const faults = new Set(
    FAULTS.filter(
      (fault) => chances('swarm', fault).happens(0.65) && wishes.without?.includes(fault) !== true && !beyond[promised].includes(fault),
    ),
  );
  const membership = draw('membership');
  const cheats =
    wishes.cheats ??
    (faults.has('cheating') || promised !== 'agreement-and-progress' ? drawnCheats(chances, members, promised) : new Map());
  // A joiner's certificate would need a real authority.
  const changes = signatures === 'pretended' && faults.has('membership') && promised === 'agreement-and-progress' && members >= 4;
  return {
    seed,
    signatures,
    members,
    ...(wishes.trust === true && { trust: drawnTrust(draw('trust')) }),
    roles: wishes.roles ?? (wishes.trust === true ? drawnRoles(draw('roles'), members, cheats) : new Map()),
    joiners: changes ? membership.below(3) : 0,
    // Whoever leaves lowers the number that may be faulty.
    leavers: changes && cheats.size <= faultyMax(members - 1) ? membership.below(2) : 0,
    targetIntervalMs,
    minimumWaitMs: draw('minimum').pick([0, targetIntervalMs / 20, targetIntervalMs / 4]),
    epochHeights: draw('epoch').pick([4, 10, 50, 1_000]),
    faultsEndMs: wishes.hours === undefined ? Math.floor(heights * targetIntervalMs) : wishes.hours * 3_600_000,
    faults,
    promised,
    cheats,
    ...severity(draw, targetIntervalMs),
  };
}

function drawnTrust(chance: Chance): TrustParameters {
  const [slotHeights, judges] = [chance.pick([8, 12, 20]), chance.pick([3, 7])];
  return { slotHeights, judges, trustedCheckpoints: slotHeights * chance.pick([2, 4]), plantedOneIn: chance.pick([0, 2, 8]) };
}

/** With the cheats no more than may be faulty, also when whoever is tampered with has lost its seat. */
function drawnRoles(chance: Chance, members: number, cheats: Scenario['cheats']): Map<number, Role> {
  const honest = chance.shuffled(Array.from({ length: members }, (_, index) => index).filter((index) => !cheats.has(index)));
  const roles = new Map<number, Role>();
  for (const role of ['tampered', 'false-judge'] as const) {
    const index = honest[roles.size];
    const lost = role === 'tampered' || roles.size > 0 ? 1 : 0;
    const isBorne = cheats.size + roles.size + 1 - lost <= faultyMax(members - lost) && cheats.size + roles.size + 1 <= faultyMax(members);
    if (index !== undefined && isBorne && chance.happens(0.6)) roles.set(index, role);
  }
  return roles;
}

type Severity = Omit<
  Scenario,
  | ('seed' | 'signatures' | 'members' | 'trust' | 'roles' | 'joiners' | 'leavers' | 'targetIntervalMs' | 'minimumWaitMs' | 'epochHeights')
  | ('faultsEndMs' | 'faults' | 'promised' | 'cheats')
>;

function severity(draw: (concern: string) => Chance, interval: number): Severity {
  const [network, partition, crash] = [draw('network'), draw('partition'), draw('crash')];
  const [clocks, tpm] = [draw('clocks'), draw('tpm')];
  const slow = tpm.happens(0.5);
  return {
    network: {
      lossShare: network.pick([0.01, 0.05, 0.1, 0.3]),
      duplicateShare: network.between(0, 0.3),
      replayShare: network.pick([0.01, 0.1, 0.5]),
      delayMeanMs: network.pick([1, 20, interval / 20, interval / 8]),
      spikeShare: network.pick([0, 0.01, 0.05]),
      spikeMeanMs: interval * network.between(0.5, 3),
      partitionEveryMs: interval * partition.between(10, 60),
      partitionMeanMs: interval * partition.between(2, 30),
    },
    crashEveryMs: interval * crash.between(8, 60),
    downMeanMs: interval * crash.between(0.1, 15),
    damageShare: draw('damage').pick([0.001, 0.01, 0.1]),
    diskFailureShare: draw('disk').pick([0.0005, 0.003]),
    rateSpread: clocks.pick([0.0001, 0.02, 0.2]),
    jumpEveryMs: interval * clocks.between(10, 60),
    jumpMaxMs: clocks.pick([1_000, 20_000, 3_600_000]),
    tpmMinMs: slow ? 50 : 1,
    tpmMaxMs: slow ? Math.min(500, interval / 4) : 5,
    tpmFailureShare: tpm.pick([0.01, 0.1, 0.3]),
    tpmResetEveryMs: interval * tpm.between(20, 100),
    submissionsEveryMs: interval * draw('workload').between(0.5, 10),
  };
}

/** How many may be faulty. */
export function faultyMax(members: number): number {
  return Math.floor((members - 1) / 3);
}

function drawnMembers(chance: Chance): number {
  const kind = chance.share();
  if (kind < 0.45) return 4;
  return kind < 0.7 ? 7 : 2 + chance.below(11);
}

function drawnPromise(chance: Chance, members: number): Promised {
  const kind = chance.share();
  if (members < 4 || kind < 0.84) return 'agreement-and-progress';
  return kind < 0.92 ? 'agreement' : 'accountability';
}

function drawnCheats(chances: Chances, members: number, promised: Promised): Map<number, readonly Behaviour[]> {
  const chance = chances('cheats');
  const allowed = faultyMax(members);
  const indices = chance.shuffled(Array.from({ length: members }, (_, index) => index));
  if (promised === 'agreement') return new Map(indices.slice(0, allowed + 1).map((index) => [index, ['silent'] as const]));
  if (promised === 'accountability') return new Map(indices.slice(0, allowed + 1).map((index) => [index, ['twins'] as const]));
  const count = allowed === 0 ? 0 : 1 + chance.below(allowed);
  return new Map(indices.slice(0, count).map((index) => [index, drawnBehaviours(chance)]));
}

function drawnBehaviours(chance: Chance): readonly Behaviour[] {
  const first = chance.pick(BEHAVIOURS);
  if (first === 'silent') return [first];
  const others = chance.some(
    BEHAVIOURS.filter((behaviour) => behaviour !== 'silent' && behaviour !== first),
    0.15,
  );
  return [first, ...others];
}

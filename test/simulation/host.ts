/**
 * A machine that runs the consensus core: performs its effects in their order, asks its chip, keeps its disk, and may die
 * between any two effects. What is on the disk survives; nothing else does.
 */
import type { ConsensusEffect, ConsensusEvent } from '../../device/consensus/events.ts';
import type { ConsensusState } from '../../device/consensus/machine.ts';
import type { Cast } from './cast.ts';
import { createChip, type Chip, type ChipAnswer } from './chip.ts';
import type { Chance, Chances } from './chance.ts';
import type { Core, StartCore } from './core.ts';
import { createDisk, type Disk } from './disk.ts';
import { createHostClock, type HostClock } from './drifting-clock.ts';
import type { EventQueue } from './event-queue.ts';
import type { Identity } from './identity.ts';
import type { LetterKind } from './links.ts';
import type { Behaviour, Role, Scenario } from './scenario.ts';
import { TrustParty } from './trust-party.ts';

/** A letter as the host would post it: to one host, or to all who subscribe. */
export interface Outgoing {
  /** Index of a host, or everyone. */
  readonly to: number | 'everyone';
  readonly kind: LetterKind;
  readonly payload: Uint8Array;
}

export interface HostWorld {
  readonly scenario: Scenario;
  readonly chances: Chances;
  readonly queue: EventQueue;
  readonly startCore: StartCore;
  readonly cast: Cast;
  /** Hosts of a member. */
  hostsOf(node: string): readonly number[];
  /** An honest host's letters; a cheat's are changed on the way. */
  post(from: Host, outgoing: Outgoing): void;
  watch(host: Host, seen: Seen): void;
  note(text: string): void;
  /** The program on it has started: others can be reached, and reach it. */
  started(host: Host): void;
}

/** What checkers are told of a host. */
export type Seen =
  | { readonly seen: 'event'; readonly event: ConsensusEvent }
  | { readonly seen: 'effect'; readonly effect: ConsensusEffect }
  | { readonly seen: 'stepped' }
  | { readonly seen: 'judged'; readonly payload: Uint8Array }
  | { readonly seen: 'started' }
  | { readonly seen: 'died'; readonly why: string }
  | { readonly seen: 'threw'; readonly error: Error };

export interface HostSettings {
  readonly index: number;
  readonly identity: Identity;
  readonly behaviours: readonly Behaviour[];
}

/** Rates of a cheat's clocks: a chip that certifies whatever is wished, and one that runs as fast as a chip can be set. */
const forgedRate = 40;
const fastRate = 1.2;

export class Host {
  readonly index: number;
  readonly node: string;
  readonly identity: Identity;
  behaviours: readonly Behaviour[];
  readonly disk: Disk;
  readonly chip: Chip;
  readonly retained = new Map<LetterKind, Uint8Array>();
  /** What it does beside being an honest member. */
  readonly role: Role | undefined;
  core: Core | undefined;
  party: TrustParty | undefined;
  clock: HostClock;
  /** Starts of the program so far. */
  starts = 0;
  private readonly world: HostWorld;
  private readonly rate: number;
  private readonly diskChance: Chance;
  private wakes = 0;
  private effectsLeft = Infinity;
  private healed = false;
  private unixOffsetMs = 0;

  constructor(world: HostWorld, { index, identity, behaviours }: HostSettings) {
    this.world = world;
    this.index = index;
    this.identity = identity;
    this.node = identity.node.toHex();
    this.behaviours = behaviours;
    this.role = world.scenario.roles.get(world.cast.founders.indexOf(identity));
    this.disk = createDisk();
    this.diskChance = world.chances('disk failure', index);
    const rates = this.drawnRates();
    this.rate = rates.host;
    this.clock = createHostClock(this.rate, 0);
    this.chip = createChip({
      scenario: world.scenario,
      queue: world.queue,
      identity,
      chance: world.chances('chip', index),
      rate: rates.chip,
    });
  }

  get running(): boolean {
    return this.core !== undefined;
  }

  get honest(): boolean {
    return this.behaviours.length === 0;
  }

  start(): void {
    if (this.core) return;
    const { queue, startCore } = this.world;
    this.starts += 1;
    this.clock = createHostClock(this.healed && this.honest ? 1 : this.rate, queue.nowMs);
    this.clock.setUnixOffset(this.unixOffsetMs);
    const { core, effects } = startCore({
      identity: this.identity,
      operational: this.chip.operationalKey(),
      kept: this.disk.kept(),
      archive: this.disk.archive,
      at: this.clock.instant(queue.nowMs),
    });
    this.core = core;
    this.effectsLeft = Infinity;
    if (this.world.scenario.trust) this.party = this.startParty();
    this.world.watch(this, { seen: 'started' });
    this.perform(effects);
    this.party?.look();
    if (this.running) this.world.started(this);
  }

  /** The program ends here; with `afterEffects` it ends after so many more effects instead, between one and the next. */
  crash(why: string, afterEffects = 0): void {
    if (!this.core) return;
    if (afterEffects > 0) {
      this.effectsLeft = Math.min(this.effectsLeft, afterEffects);
      return;
    }
    this.core = undefined;
    this.party = undefined;
    this.wakes += 1;
    this.chip.forget();
    this.retained.clear();
    this.world.watch(this, { seen: 'died', why });
  }

  receive(from: string, kind: LetterKind, payload: Uint8Array): void {
    if (kind === 'verdict') this.party?.tell({ type: 'received', from, payload });
    else this.step({ type: 'received', from, kind, payload });
  }

  reached(peer: string): void {
    this.step({ type: 'peerReached', peer });
  }

  submit(transaction: Uint8Array): void {
    this.step({ type: 'transactionMade', transaction });
  }

  setUnixOffset(offsetMs: number): void {
    this.unixOffsetMs = offsetMs;
    this.clock.setUnixOffset(offsetMs);
  }

  /** Faults end. A cheat's chip stays what it is. */
  heal(): void {
    this.healed = true;
    this.chip.heal();
    this.setUnixOffset(0);
    if (this.honest) this.setRate(1);
  }

  /** Is honest from now on. */
  reform(): void {
    this.behaviours = [];
    this.heal();
  }

  private setRate(rate: number): void {
    const { nowMs } = this.world.queue;
    this.clock.monotonic.setRate(rate, nowMs);
    this.chip.clock.setRate(rate, nowMs);
    if (this.running) this.step({ type: 'ticked' });
  }

  private step(event: ChipAnswer): void {
    if (!this.core) return;
    const at = this.clock.instant(this.world.queue.nowMs);
    const told = { ...event, at } as ConsensusEvent;
    this.world.watch(this, { seen: 'event', event: told });
    let effects: readonly ConsensusEffect[];
    try {
      effects = this.core.step(told);
    } catch (error) {
      this.world.watch(this, { seen: 'threw', error: error instanceof Error ? error : new Error(String(error)) });
      this.crash('the core threw');
      return;
    }
    this.perform(effects);
    if (this.running) this.world.watch(this, { seen: 'stepped' });
    this.party?.look();
  }

  private perform(effects: readonly ConsensusEffect[]): void {
    for (const effect of effects) {
      if (!this.spendEffect()) return;
      if (effect.effect === 'persist' && this.diskFails()) {
        this.crash('the disk is full');
        return;
      }
      this.performOne(effect);
      this.world.watch(this, { seen: 'effect', effect });
    }
  }

  /** @returns whether the program does not end before this effect */
  private spendEffect(): boolean {
    if (this.effectsLeft <= 0) {
      this.crash('between two effects');
      return false;
    }
    this.effectsLeft -= 1;
    return this.running;
  }

  private startParty(): TrustParty {
    const { world, chip, clock } = this;
    const { queue, scenario, cast } = world;
    const chance = world.chances('trust chip', this.index);
    const isCurrent = (): boolean => this.party === party;
    let wakes = 0;
    const party: TrustParty = new TrustParty({
      ...{ cast, chance, host: this, operational: chip.operationalKey() },
      reading: () => ({ timeMs: Math.floor(chip.clock.read(queue.nowMs)), resetCount: chip.resetCount(), restartCount: 0 }),
      consensus: () => this.core?.state as ConsensusState | undefined,
      nowMs: () => clock.instant(queue.nowMs).monotonicMs,
      wakeAt: (monotonicMs, wake) => {
        const own = (wakes += 1);
        queue.at(clock.monotonic.virtualOf(monotonicMs) + 0.001, () => isCurrent() && own === wakes && wake());
      },
      chipMs: () => {
        const fails = scenario.faults.has('tpm-failure') && !this.healed && chance.happens(scenario.tpmFailureShare);
        return fails
          ? undefined
          : scenario.faults.has('tpm-slow') && !this.healed
            ? chance.between(scenario.tpmMinMs, scenario.tpmMaxMs)
            : 2;
      },
      after: (ms, then) => queue.after(ms, () => isCurrent() && then()),
      spend: () => this.spendEffect() && isCurrent(),
      say: (payload) => {
        world.watch(this, { seen: 'judged', payload });
        world.post(this, { to: 'everyone', kind: 'verdict', payload });
      },
      submit: (transaction, gossip) => this.step({ type: 'transactionMade', transaction, gossip }),
    });
    return party;
  }

  private performOne(effect: ConsensusEffect): void {
    switch (effect.effect) {
      case 'persist':
        this.disk.write(effect.records);
        return;
      case 'broadcast':
        if (effect.kind === 'transaction') this.party?.tell({ type: 'transactionHeard', transaction: effect.payload });
        if (effect.retain) this.retained.set(effect.kind, effect.payload);
        this.world.post(this, { to: 'everyone', kind: effect.kind, payload: effect.payload });
        return;
      case 'send':
        for (const to of this.world.hostsOf(effect.to)) this.world.post(this, { to, kind: effect.kind, payload: effect.payload });
        return;
      case 'ask':
        this.chip.ask(effect.task, (answer) => {
          this.step(answer);
        });
        return;
      case 'wakeAt':
        this.wakeAt(effect.monotonicMs);
        return;
      case 'report':
        return;
    }
  }

  private wakeAt(monotonicMs: number): void {
    const wake = (this.wakes += 1);
    // A clock that shows whole ms shows this one a little later than the moment computed.
    const virtualMs = this.clock.monotonic.virtualOf(monotonicMs) + 0.001;
    this.world.queue.at(virtualMs, () => {
      if (wake === this.wakes) this.step({ type: 'ticked' });
    });
  }

  private diskFails(): boolean {
    const { scenario } = this.world;
    return scenario.faults.has('disk-failure') && !this.healed && this.diskChance.happens(scenario.diskFailureShare);
  }

  private drawnRates(): { readonly host: number; readonly chip: number } {
    const { scenario, chances } = this.world;
    if (this.behaviours.includes('forged-chip')) return { host: forgedRate, chip: forgedRate };
    if (this.behaviours.includes('fast-clock')) return { host: fastRate, chip: fastRate };
    if (!scenario.faults.has('clock-rate')) return { host: 1, chip: 1 };
    const chance = chances('rates', this.index);
    const drawn = (): number => 1 + chance.between(-scenario.rateSpread, scenario.rateSpread);
    return { host: drawn(), chip: drawn() };
  }
}

/**
 * A simulated network: the production core on every member, one queue of events in virtual time, faults drawn from a seed,
 * checkers after every step. First faults happen; then they stop, and what is promised must follow. Specification §13.5.
 */
import { createLedger } from '../../device/ledger/ledger.ts';
import { headOf } from '../../device/consensus/machine.ts';
import { castOf, type Cast } from './cast.ts';
import { chancesOf, type Chances } from './chance.ts';
import { createCheats, type Cheats } from './cheats.ts';
import { Checkers, stateOf } from './checkers.ts';
import type { StartCore } from './core.ts';
import { createDisturbances, type Disturbances } from './disturbances.ts';
import { createEventQueue, type EventQueue } from './event-queue.ts';
import { Host, type HostWorld, type Outgoing, type Seen } from './host.ts';
import { createLinks, type Links, type Parcel } from './links.ts';
import { playPartitions } from './partitions.ts';
import { productionCore } from './production-core.ts';
import type { Behaviour, Scenario } from './scenario.ts';
import { createTranscript, type Transcript } from './transcript.ts';
import { createWorkload, type Workload } from './workload.ts';

export interface WorldOptions {
  /** The core to run; the production core where none is named. */
  readonly core?: (cast: Cast) => StartCore;
  readonly transcript?: Transcript;
  /** Called for each message before it is sent; true swallows it. */
  readonly intercept?: (parcel: Parcel, nowMs: number) => boolean;
  /** More that happens in it, from the beginning. */
  readonly disturb?: (world: World) => void;
}

export class World implements HostWorld {
  readonly scenario: Scenario;
  readonly chances: Chances;
  readonly queue: EventQueue = createEventQueue();
  readonly startCore: StartCore;
  readonly cast: Cast;
  readonly hosts: Host[] = [];
  readonly checkers: Checkers;
  readonly transcript: Transcript;
  readonly workload: Workload;
  readonly links: Links;
  readonly cheats: Cheats;
  private readonly disturbances: Disturbances;
  private readonly byNode = new Map<string, number[]>();
  private readonly intercept: WorldOptions['intercept'];

  constructor(scenario: Scenario, options: WorldOptions = {}) {
    this.scenario = scenario;
    this.chances = chancesOf(scenario.seed);
    this.cast = castOf(scenario);
    this.transcript = options.transcript ?? createTranscript();
    this.intercept = options.intercept;
    const { network, networkId, crypto } = this.cast;
    this.startCore = (options.core ?? productionOf)(this.cast);
    const genesis = createLedger({ network, networkId, crypto }).genesis().id;
    this.checkers = new Checkers({ scenario, genesis, networkId, crypto, nowMs: () => this.queue.nowMs, hosts: this.hosts });
    const note = (text: string): void => this.note(text);
    this.links = createLinks(
      scenario,
      this.chances,
      this.queue,
      (parcel) => this.deliver(parcel),
      (from, to) => this.meet(from, to),
    );
    const founders = this.cast.founders.map(({ node }) => node);
    this.cheats = createCheats({ scenario, chances: this.chances, queue: this.queue, network: networkId, founders }, (from, to, outgoing) =>
      this.send(from, to, outgoing),
    );
    const joiners = this.addHosts();
    const { chances, queue, hosts } = this;
    this.disturbances = createDisturbances({ scenario, chances, queue, hosts, note });
    this.workload = createWorkload({ network: networkId, scenario, chances, queue, hosts, joiners, note });
    playPartitions(scenario, chances, queue, this.links, () => hosts.length, note);
  }

  begin(): void {
    const honest = this.hosts.filter((host) => host.honest).map(({ identity }) => identity.node);
    const founders = this.hosts.filter(({ identity }) => this.cast.founders.includes(identity));
    for (const host of founders) host.start();
    for (const host of founders) if (!host.honest) this.cheats.begin(host, () => this.peersOf(host), honest);
    this.disturbances.begin();
    this.workload.begin();
  }

  /** @returns when nothing is left to happen, or at that time */
  runUntil(untilMs: number): void {
    while (this.queue.next(untilMs));
  }

  /** Every fault ends; cheats stay what they are. */
  heal(): void {
    this.note('faults end');
    this.links.heal();
    for (const host of this.hosts) host.heal();
    for (const host of this.hosts) if (host.starts > 0) host.start();
    for (const host of this.hosts) this.started(host);
  }

  /** Cheats are honest from now on; what the silent ones retained reaches everybody. */
  reform(): void {
    for (const host of this.hosts) host.reform();
    for (const host of this.hosts) this.started(host);
  }

  honestHosts(): Host[] {
    return this.hosts.filter((host) => host.honest && host.starts > 0);
  }

  greatestHeight(): number {
    return Math.max(
      0,
      ...this.honestHosts()
        .flatMap((host) => stateOf(host) ?? [])
        .map((state) => headOf(state).height),
    );
  }

  hostsOf(node: string): readonly number[] {
    return this.byNode.get(node) ?? [];
  }

  post(from: Host, outgoing: Outgoing): void {
    const to = outgoing.to === 'everyone' ? this.peersOf(from) : [outgoing.to];
    if (!from.honest) this.cheats.post(from, outgoing, to);
    else for (const index of to) this.send(from, index, outgoing);
  }

  watch(host: Host, seen: Seen): void {
    this.transcript.watch(this.queue.nowMs, host, seen);
    this.checkers.watch(host, seen);
    if (seen.seen === 'died') this.disturbances.died(host);
  }

  note(text: string): void {
    this.transcript.note(this.queue.nowMs, text);
  }

  /** Others can reach its broker, and it theirs. */
  started(host: Host): void {
    for (const index of this.peersOf(host)) {
      this.meet(index, host.index);
      this.meet(host.index, index);
    }
  }

  private addHosts(): Host[] {
    const { founders, joiners } = this.cast;
    for (const [index, identity] of founders.entries()) {
      const behaviours = this.scenario.cheats.get(index) ?? [];
      this.addHost(identity, behaviours);
      if (behaviours.includes('twins')) this.addHost(identity, behaviours);
    }
    return joiners.map((identity) => this.addHost(identity, []));
  }

  private addHost(identity: Cast['founders'][number], behaviours: readonly Behaviour[]): Host {
    const host = new Host(this, { index: this.hosts.length, identity, behaviours });
    this.hosts.push(host);
    this.byNode.set(host.node, [...(this.byNode.get(host.node) ?? []), host.index]);
    return host;
  }

  private peersOf(host: Host): number[] {
    return this.hosts.filter(({ node }) => node !== host.node).map(({ index }) => index);
  }

  private send(from: Host, to: number, { kind, payload }: Outgoing): void {
    const parcel = { from: from.index, to, kind, payload };
    if (this.intercept?.(parcel, this.queue.nowMs) === true) return;
    this.links.send(parcel);
  }

  private deliver({ from, to, kind, payload }: Parcel): void {
    const [sender, receiver] = [this.hosts[from], this.hosts[to]];
    if (!sender || !receiver?.running) return;
    if (!receiver.honest) this.cheats.hear(receiver, { to: 'everyone', kind, payload });
    receiver.receive(sender.node, kind, payload);
  }

  /** `to` reaches the broker of `from`, where something may be retained. */
  private meet(from: number, to: number): void {
    const [broker, subscriber] = [this.hosts[from], this.hosts[to]];
    if (!broker?.running || !subscriber?.running || this.links.isCut(from, to)) return;
    subscriber.reached(broker.node);
    for (const [kind, payload] of broker.retained) this.post(broker, { to, kind, payload });
  }
}

function productionOf({ network, crypto }: Cast): StartCore {
  return productionCore(network, crypto);
}

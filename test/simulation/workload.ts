/**
 * What members do on the chain: offer boxes, order capsules, answer for them, join and leave. As a device's other rooms do,
 * each says an action again until the state shows that it stands. Specification §11.3, §15.
 */
import { capsuleIdFrom } from '#protocol/capsule.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { memberDigest, type Member } from '#protocol/network.ts';
import { encodeTransaction, type Action } from '#protocol/chain/transaction.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { finalisedOf, headOf, makeAction } from '../../device/consensus/machine.ts';
import { stateOf } from './checkers.ts';
import { worldBeginsUnixMs } from './drifting-clock.ts';
import type { Chances } from './chance.ts';
import type { EventQueue } from './event-queue.ts';
import type { Host } from './host.ts';
import type { Scenario } from './scenario.ts';

interface Intent {
  readonly action: Action;
  readonly sinceMs: number;
  /** Whether the state shows it. */
  stands(state: ChainState): boolean;
}

export interface Workload {
  begin(): void;
  /** No new ones from now on. */
  end(): void;
  /** Of honest members, what does not stand yet in a state that each of `hosts` has finalised. */
  missing(hosts: readonly Host[]): readonly string[];
  readonly counts: { actions: number; submissions: number; standing: number };
}

export interface WorkloadWorld {
  /** Its id. */
  readonly network: Uint8Array;
  readonly scenario: Scenario;
  readonly chances: Chances;
  readonly queue: EventQueue;
  readonly hosts: readonly Host[];
  /** Hosts of members that are not in the genesis, waiting to join. */
  readonly joiners: readonly Host[];
  readonly note: (text: string) => void;
}

const encoder = new TextEncoder();

export function createWorkload(world: WorkloadWorld): Workload {
  return new Members(world);
}

class Members implements Workload {
  readonly counts = { actions: 0, submissions: 0, standing: 0 };
  private readonly world: WorkloadWorld;
  private readonly intents = new Map<number, Intent[]>();
  private readonly answered = new Set<string>();
  private ended = false;

  constructor(world: WorkloadWorld) {
    this.world = world;
  }

  begin(): void {
    const { scenario, hosts, queue } = this.world;
    if (scenario.faults.has('workload')) {
      for (const host of hosts) this.intend(host, offer(host));
      this.submitNow(0);
    }
    this.beginJoining();
    this.beginLeaving();
    const round = (): void => {
      for (const host of hosts) this.press(host);
      queue.after(scenario.targetIntervalMs, round);
    };
    queue.after(scenario.targetIntervalMs / 2, round);
  }

  end(): void {
    this.ended = true;
  }

  missing(hosts: readonly Host[]): readonly string[] {
    const { queue } = this.world;
    const states = hosts.flatMap((host) => stateOf(host) ?? []).map((state) => finalisedOf(state).position.state);
    // Whoever has left can't say anything any more.
    const present = [...this.intents].filter(([index]) => hosts.some((host) => host.index === index));
    return present.flatMap(([index, intents]) =>
      intents
        .filter((intent) => !isTooLate(intent, queue.nowMs) && !states.every((state) => intent.stands(state)))
        .map(({ action }) => `${action.action} of host ${index}`),
    );
  }

  /** Says again what the head does not show, with the operational key of now. */
  private press(host: Host): void {
    const state = stateOf(host);
    if (!state || !host.honest) return;
    if (this.world.scenario.faults.has('workload') && !this.ended) this.answerDraws(host, finalisedOf(state).position.state);
    const open = this.intents.get(host.index) ?? [];
    const shown = headOf(state).state;
    for (const intent of open) {
      if (intent.stands(shown) || isTooLate(intent, this.world.queue.nowMs)) continue;
      host.submit(makeAction(state, intent.action));
    }
    const finalised = finalisedOf(state).position.state;
    const left = open.filter((intent) => !intent.stands(finalised) && !isTooLate(intent, this.world.queue.nowMs));
    this.counts.standing += open.length - left.length;
    this.intents.set(host.index, left);
  }

  private intend(host: Host, intent: Omit<Intent, 'sinceMs'>): void {
    if (!host.honest) return;
    this.counts.actions += 1;
    this.intents.set(host.index, [...(this.intents.get(host.index) ?? []), { ...intent, sinceMs: this.world.queue.nowMs }]);
  }

  private submitNow(serial: number): void {
    const { scenario, chances, queue, hosts, network } = this.world;
    const chance = chances('submission', serial);
    queue.after(chance.exponential(scenario.submissionsEveryMs), () => {
      if (this.ended) return;
      const gateway = hosts[chance.below(scenario.members)];
      if (gateway?.honest === true) {
        this.counts.submissions += 1;
        this.intend(gateway, submission(gateway, { network, seed: scenario.seed, serial, nowMs: queue.nowMs }));
      }
      this.submitNow(serial + 1);
    });
  }

  /** The executor says how the run has ended. */
  private answerDraws(host: Host, state: ChainState): void {
    for (const [capsule, record] of state.capsules) {
      const last = record.attempts.at(-1);
      const key = `${capsule} ${record.attempts.length}`;
      if (record.end || last?.node.toHex() !== host.node || record.awaitsDraw === 'yes' || this.answered.has(key)) continue;
      this.answered.add(key);
      const receipt = blobDigest(encoder.encode(key));
      const attempt = record.attempts.length;
      this.intend(host, {
        action: { action: 'receipt', capsule, attempt, receipt, state: 'agreed' },
        // One that ended is forgotten after a while.
        stands: ({ capsules }) => capsules.get(capsule)?.end !== undefined || !capsules.has(capsule),
      });
    }
  }

  private beginJoining(): void {
    const { scenario, chances, queue, joiners } = this.world;
    const chance = chances('joining');
    for (const joiner of joiners) queue.at(scenario.faultsEndMs * chance.between(0.1, 0.5), () => this.join(joiner));
  }

  /** Any member may carry an application; the others vouch when they have seen it finalised. */
  private join(joiner: Host): void {
    const { hosts, queue, scenario, note } = this.world;
    const application = encodeTransaction({ kind: 'application', card: joiner.identity.card() });
    note(`${joiner.identity.name} applies`);
    const vouched = new Set<number>();
    const look = (): void => {
      for (const host of hosts) {
        const state = stateOf(host);
        if (!state || !host.honest || host === joiner) continue;
        const known = finalisedOf(state).position.state.members.get(joiner.node);
        if (!known) host.submit(application);
        else if (known.standing === 'applicant' && !vouched.has(host.index)) {
          vouched.add(host.index);
          this.intend(host, vouch(host, joiner, known.member));
        } else if (known.standing === 'member' && !joiner.running && joiner.starts === 0) {
          note(`${joiner.identity.name} has become a member`);
          joiner.start();
        }
      }
      if (joiner.starts === 0) queue.after(scenario.targetIntervalMs * 2, look);
    };
    look();
  }

  private beginLeaving(): void {
    const { scenario, chances, queue, hosts, note } = this.world;
    const chance = chances('leaving');
    const leavers = hosts.filter(({ honest }) => honest).slice(0, scenario.leavers);
    for (const host of leavers) {
      queue.at(scenario.faultsEndMs * chance.between(0.2, 0.7), () => {
        note(`${host.identity.name} leaves`);
        this.intend(host, {
          action: { action: 'leave' },
          stands: ({ members }) => members.get(host.node)?.standing !== 'member',
        });
      });
    }
  }
}

function offer(host: Host): Omit<Intent, 'sinceMs'> {
  const key = host.chip.operationalKey().publicKey;
  const box = { name: `${host.identity.name}-box`, key, trust: 'self-reported' as const, runtimes: ['node'] };
  return {
    action: { action: 'boxes', serial: 1, boxes: [box] },
    stands: ({ members }) => (members.get(host.node)?.boxesSerial ?? 1) >= 1,
  };
}

function submission(
  { identity }: Host,
  { network, seed, serial, nowMs }: { network: Uint8Array; seed: number; serial: number; nowMs: number },
): Omit<Intent, 'sinceMs'> {
  const digest = blobDigest(encoder.encode(`capsule ${seed} ${serial}`));
  const requestDigest = blobDigest(encoder.encode(`request ${seed} ${serial}`));
  const capsule = capsuleIdFrom({ network, device: identity.name, requestDigest, capsule: digest });
  let seen = false;
  return {
    action: {
      action: 'submission',
      capsule,
      requestDigest,
      digest,
      manifest: blobDigest(digest),
      manifestBytes: 1_000,
      runtime: 'node',
      trust: 'self-reported',
      acceptedAtMs: Math.floor(worldBeginsUnixMs + nowMs),
    },
    // A state that had it and forgot it once it ended has had it.
    stands: ({ capsules }) => (seen ||= capsules.has(capsule)),
  };
}

function vouch(host: Host, joiner: Host, member: Member): Omit<Intent, 'sinceMs'> {
  return {
    action: { action: 'vouch', applicant: memberDigest(member) },
    stands: ({ members }) => {
      const record = members.get(joiner.node);
      return record !== undefined && (record.standing !== 'applicant' || record.vouchedBy.some((node) => node.toHex() === host.node));
    },
  };
}

/** A submission that the chain has not taken within the hour is the gateway's to accept anew (§15). */
function isTooLate({ action, sinceMs }: Intent, nowMs: number): boolean {
  return action.action === 'submission' && nowMs - sinceMs > LIMITS.submissionAgeMaxMs * 0.9;
}

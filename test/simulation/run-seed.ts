/** One seed from beginning to end: faults, recovery, verdict. */
import { finalisedOf } from '../../device/consensus/machine.ts';
import { hex } from '#protocol/digest.ts';
import { stateOf } from './checkers.ts';
import type { Host } from './host.ts';
import { broken, RuleBroken, type Checker } from './rule-broken.ts';
import { faultyMax, type Scenario } from './scenario.ts';
import type { TrustCounts } from './trust-rules.ts';
import { World, type WorldOptions } from './world.ts';

export interface Outcome {
  readonly seed: number;
  /** What was broken, if anything. */
  readonly broken?: { readonly checker: Checker | 'error'; readonly detail: string };
  readonly digest: string;
  readonly lines: readonly string[];
  readonly figures: Figures;
}

export interface Figures {
  readonly nodeHours: number;
  readonly events: number;
  readonly height: number;
  readonly checkpoint: number;
  readonly starts: number;
  readonly messages: number;
  readonly submissions: number;
  readonly mutations: number;
  readonly largest: number;
  readonly rounds: number;
  /** From the end of the faults until all had converged, in block times. */
  readonly recoveryBlockTimes: number;
  /** Of members' evidence, where they judge one another. */
  readonly trust: TrustCounts | undefined;
  readonly refused: readonly (readonly [reason: string, count: number])[];
}

/** The network must have converged after so many block times, and so many blocks. */
const recoveryBlocksMax = 10;
/** Where even blocks don't come, it is not waited for longer. */
const patienceBlockTimes = 60;

export function runSeed(scenario: Scenario, options: WorldOptions = {}): Outcome {
  const world = new World(scenario, options);
  let recovery = 0;
  let fault: Outcome['broken'];
  try {
    world.begin();
    options.disturb?.(world);
    world.runUntil(scenario.faultsEndMs);
    world.workload.end();
    world.heal();
    recovery = requirePromise(world);
    requireForgedShare(world);
  } catch (error) {
    fault = faultOf(error);
  }
  const { digest, lines } = world.transcript;
  return { seed: scenario.seed, ...(fault && { broken: fault }), digest: digest(), lines: lines(), figures: figuresOf(world, recovery) };
}

/** A block comes this often at the pace of those who make blocks, with what chips and links need. */
export function blockTimeMs(scenario: Scenario): number {
  const silent = [...scenario.cheats.values()].filter(
    (behaviours) => behaviours.includes('silent') || behaviours.includes('withholding'),
  ).length;
  const share = scenario.members / Math.max(1, scenario.members - silent);
  return scenario.minimumWaitMs + scenario.targetIntervalMs * share + 50;
}

function requirePromise(world: World): number {
  switch (world.scenario.promised) {
    case 'agreement-and-progress':
      return requireProgress(world);
    case 'agreement':
      return requireResumption(world);
    case 'accountability':
      world.runUntil(world.queue.nowMs + recoveryBlocksMax * blockTimeMs(world.scenario));
      return 0;
  }
}

/** While more than f are silent nothing is certified and blocks go on; when they speak again, checkpoints follow. */
function requireResumption(world: World): number {
  const { scenario, queue } = world;
  const [height, number] = [world.greatestHeight(), greatestNumber(world)];
  world.runUntil(queue.nowMs + patienceBlockTimes * blockTimeMs(scenario));
  if (world.greatestHeight() <= height) broken('progress', 'blocks do not go on while more than a third of the members is silent');
  if (greatestNumber(world) > 0 || number > 0)
    broken('agreement', `checkpoint ${number} is certified while more than a third of the members is silent`);
  world.reform();
  world.note('the silent speak again');
  return requireProgress(world);
}

/** @returns after how many block times all had converged */
function requireProgress(world: World): number {
  const { scenario, queue } = world;
  const [beginMs, height, number] = [queue.nowMs, world.greatestHeight(), greatestNumber(world)];
  const blockMs = blockTimeMs(scenario);
  for (;;) {
    world.runUntil(queue.nowMs + blockMs / 4);
    const blockTimes = (queue.nowMs - beginMs) / blockMs;
    const behind = whoIsBehind(world, number);
    if (behind === undefined) return blockTimes;
    const blocks = world.greatestHeight() - height;
    const over = blockTimes > recoveryBlocksMax && blocks >= recoveryBlocksMax;
    if (over || blockTimes > patienceBlockTimes)
      broken(behind.checker, `${Math.floor(blockTimes)} block times and ${blocks} blocks after the faults ended, ${behind.detail}`);
  }
}

function whoIsBehind(world: World, number: number): { readonly checker: Checker; readonly detail: string } | undefined {
  const hosts = world.honestHosts().filter((host) => isMember(world, host));
  for (const host of hosts) {
    const state = stateOf(host);
    if (!state) return { checker: 'progress', detail: `host ${host.index} does not run` };
    const last = finalisedOf(state);
    if (last.number <= number)
      return { checker: 'progress', detail: `host ${host.index} stands at checkpoint ${last.number}; ${number} was there when they ended` };
    const agreed = world.checkers.chronicle.finalised[last.position.height];
    if (agreed !== hex(last.position.id))
      return { checker: 'agreement', detail: `host ${host.index} has finalised another block of height ${last.position.height}` };
  }
  const [missing] = world.workload.missing(hosts);
  return missing === undefined ? undefined : { checker: 'inclusion', detail: `${missing} does not stand on the chain` };
}

/** Whoever has left need not follow any more. */
function isMember(world: World, host: Host): boolean {
  const states = world.honestHosts().flatMap((one) => stateOf(one) ?? []);
  const newest = states.toSorted((left, right) => finalisedOf(right).number - finalisedOf(left).number)[0];
  return newest === undefined || finalisedOf(newest).position.state.members.get(host.node)?.standing === 'member';
}

function greatestNumber(world: World): number {
  return Math.max(0, ...[...world.checkers.finalised.values()].map(({ number }) => number));
}

/** A forged chip leads no more blocks than its draws: six standard deviations and a few blocks above them are too many. */
function requireForgedShare(world: World): void {
  const { scenario, checkers, hosts } = world;
  if (scenario.promised !== 'agreement-and-progress' || scenario.joiners + scenario.leavers > 0) return;
  const finalised = checkers.chronicle.finalised.slice(1).flatMap((id) => checkers.chronicle.blocks.get(id) ?? []);
  const working = Math.max(1, scenario.members - faultyMax(scenario.members));
  for (const host of hosts.filter(({ behaviours }) => behaviours.includes('forged-chip') || behaviours.includes('fast-clock'))) {
    const led = finalised.filter(({ node }) => node === host.node).length;
    const share = 1 / working;
    const most = finalised.length * share + 6 * Math.sqrt(finalised.length * share) + 3;
    if (led > most)
      broken(
        'forged-share',
        `host ${host.index} led ${led} of ${finalised.length} blocks; ${Math.floor(most)} are the most that chance explains`,
      );
  }
}

function faultOf(error: unknown): NonNullable<Outcome['broken']> {
  if (error instanceof RuleBroken) return { checker: error.checker, detail: error.message };
  return { checker: 'error', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function figuresOf(world: World, recoveryBlockTimes: number): Figures {
  const { checkers, hosts, links, workload, cheats, queue } = world;
  return {
    nodeHours: (hosts.length * queue.nowMs) / 3_600_000,
    events: checkers.counts.events,
    height: world.greatestHeight(),
    checkpoint: greatestNumber(world),
    starts: hosts.reduce((sum, { starts }) => sum + starts, 0),
    messages: links.counts.sent,
    submissions: workload.counts.submissions,
    mutations: cheats.counts.mutations,
    largest: checkers.counts.largest,
    rounds: checkers.ballots.counts.rounds,
    recoveryBlockTimes,
    trust: checkers.trust?.counts,
    refused: [...checkers.counts.refused],
  };
}

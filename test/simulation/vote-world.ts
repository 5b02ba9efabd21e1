/**
 * Voters of one decision and nothing else: the machine of device/votes with partitions drawn for each moment, members that
 * run on two machines, restarts, and mutated ballots; thousands of small scenarios a second. Twins: Bano and others, OPODIS 2021.
 */
import { blobDigest } from '#protocol/digest.ts';
import type { Ballot } from '#protocol/chain/ballot.ts';
import type { CastBallot, VoteEffect, VoteEvent, VoteRecord, Voters } from '../../device/votes/decision.ts';
import { startDecision, stepDecision, type DecisionState } from '../../device/votes/machine.ts';
import { proposerOf } from '../../device/votes/proposer.ts';
import { chancesOf, type Chance } from './chance.ts';

export interface VoteScenario {
  readonly seed: number;
  readonly voters: 4 | 7;
  /** How the faulty third is faulty. */
  readonly faulty: 'twins' | 'mutating';
  /** With partitions; afterwards everyone hears everyone. */
  readonly moments: number;
  /** In the place of draws: no restarts, and what is said is heard in its order. */
  readonly script?: VoteScript;
}

export interface VoteScript {
  /** The group of each machine, in phases of the same length. */
  readonly phases: readonly (readonly number[])[];
  /** Of each machine, 0 or 1. */
  readonly candidates: readonly number[];
  readonly firstProposer: 'faulty' | 'honest';
}

export interface VoteOutcome {
  /** What was broken, if anything. */
  readonly broken?: 'agreement' | 'one-ballot-a-step' | 'progress';
  readonly rounds: number;
  readonly mutations: number;
}

/** Bugs to plant from outside, for the test of the test. */
export interface Plant {
  readonly voters?: (voters: Voters) => Voters;
  readonly kept?: (record: VoteRecord | undefined) => VoteRecord | undefined;
  readonly state?: (state: DecisionState) => void;
}

interface Voter {
  readonly node: string;
  readonly honest: boolean;
  state: DecisionState;
  kept: VoteRecord | undefined;
  decided: string | undefined;
}

type Message = VoteEvent extends infer E ? (E extends { nowMs: number } ? Omit<E, 'nowMs'> : never) : never;

interface Letter {
  readonly to: number;
  readonly message: Message;
}

const baseMs = 100;
const momentMs = 60;
const settledMomentsMax = 400;
const values = [blobDigest(Uint8Array.of(1)), blobDigest(Uint8Array.of(2))];
const key = new Uint8Array(32);
const drawnInstance = blobDigest(Uint8Array.of(7));

export function runVotes(scenario: VoteScenario, plant: Plant = {}): VoteOutcome {
  return new VoteWorld(scenario, plant).run();
}

class VoteWorld {
  private readonly scenario: VoteScenario;
  private readonly plant: Plant;
  private readonly chance: Chance;
  private readonly voters: Voters;
  private readonly instance: Uint8Array;
  private readonly all: Voter[] = [];
  private readonly groups: number[] = [];
  private readonly cast = new Map<string, string>();
  private letters: Letter[] = [];
  private nowMs = 0;
  private rounds = 0;
  private mutations = 0;
  private broken: VoteOutcome['broken'];

  constructor(scenario: VoteScenario, plant: Plant) {
    this.scenario = scenario;
    this.plant = plant;
    this.chance = chancesOf(scenario.seed)('votes', scenario.voters, scenario.faulty);
    const nodes = Array.from({ length: scenario.voters }, (_, index) => blobDigest(Uint8Array.of(index, 9)).toHex());
    const voters = { weights: new Map(nodes.map((node) => [node, 1])), total: nodes.length };
    this.voters = plant.voters?.(voters) ?? voters;
    const faulty = Math.floor((nodes.length - 1) / 3);
    this.instance = scenario.script ? instanceFor(scenario.script, nodes.slice(0, faulty), voters) : drawnInstance;
    for (const [index, node] of nodes.entries()) {
      const machines = index < faulty && scenario.faulty === 'twins' ? 2 : 1;
      for (let machine = 0; machine < machines; machine += 1) this.add(node, index >= faulty);
    }
  }

  run(): VoteOutcome {
    for (let moment = 0; moment < this.scenario.moments && !this.broken; moment += 1) this.faultyMoment(moment);
    for (let moment = 0; moment < settledMomentsMax && !this.broken && !this.allDecided(); moment += 1) this.settledMoment();
    if (!this.broken && !this.allDecided()) this.broken = 'progress';
    return { ...(this.broken && { broken: this.broken }), rounds: this.rounds, mutations: this.mutations };
  }

  private add(node: string, honest: boolean): void {
    const voter: Voter = { node, honest, state: this.started(node, undefined), kept: undefined, decided: undefined };
    this.all.push(voter);
    this.groups.push(0);
    const index = this.all.length - 1;
    for (const value of this.chance.shuffled(values)) this.post(index, { type: 'valueKnown', value });
    this.post(index, { type: 'candidateChosen', value: this.candidateOf(index) });
  }

  private candidateOf(index: number): Uint8Array {
    const scripted = values[this.scenario.script?.candidates[index] ?? -1];
    return scripted ?? this.chance.pick(values);
  }

  private started(node: string, kept: VoteRecord | undefined): DecisionState {
    const given = this.plant.kept ? this.plant.kept(kept) : kept;
    return startDecision({
      instance: this.instance,
      voters: this.voters,
      self: node,
      baseMs,
      repeatMs: 3 * baseMs,
      ...(given && { kept: given }),
    });
  }

  private faultyMoment(moment: number): void {
    this.nowMs += momentMs;
    const { script, moments } = this.scenario;
    const scripted = script?.phases[Math.floor((moment * script.phases.length) / moments)];
    if (scripted) {
      for (const index of this.groups.keys()) this.groups[index] = scripted[index] ?? 0;
      this.hear(this.letters);
      return;
    }
    if (this.chance.happens(0.5)) for (const index of this.groups.keys()) this.groups[index] = this.chance.below(3);
    if (this.chance.happens(0.1)) this.restart(this.chance.below(this.all.length));
    this.hear(this.chance.shuffled(this.letters));
  }

  private settledMoment(): void {
    this.nowMs += momentMs;
    this.groups.fill(0);
    this.hear(this.letters);
  }

  /** What was sent before is heard; then time passes for everyone. */
  private hear(letters: readonly Letter[]): void {
    this.letters = [];
    for (const { to, message } of letters) this.step(to, message);
    for (const index of this.all.keys()) this.step(index, { type: 'ticked' });
    this.showCertificates();
  }

  /** A quorum that decided is judged as a whole, whatever ballots were heard before. */
  private showCertificates(): void {
    for (const [index, { decided, honest }] of this.all.entries()) {
      if (decided === undefined || !honest) continue;
      for (const [to, other] of this.all.entries())
        if (other.decided === undefined && this.groups[to] === this.groups[index]) other.decided = decided;
    }
  }

  private restart(index: number): void {
    const voter = this.all[index];
    if (!voter || voter.decided !== undefined) return;
    voter.state = this.started(voter.node, voter.kept);
    for (const value of values) this.post(index, { type: 'valueKnown', value });
    this.post(index, { type: 'candidateChosen', value: this.chance.pick(values) });
  }

  private step(index: number, message: Message): void {
    const voter = this.all[index];
    if (!voter || this.broken || (voter.honest && voter.decided !== undefined)) return;
    this.plant.state?.(voter.state);
    for (const effect of stepDecision(voter.state, { ...message, nowMs: this.nowMs })) this.perform(index, voter, effect);
  }

  private perform(index: number, voter: Voter, effect: VoteEffect): void {
    switch (effect.effect) {
      case 'keep':
        voter.kept = effect.record;
        return;
      case 'cast':
        this.sendBallot(index, voter, effect);
        return;
      case 'repeat':
        for (const envelope of effect.envelopes) this.sayAgain(index, envelope);
        return;
      case 'propose': {
        const { round, value, validRound, prevotes } = effect;
        this.toGroup(index, {
          type: 'proposalReceived',
          from: voter.node,
          round,
          value,
          prevotes,
          ...(validRound !== undefined && { validRound }),
        });
        return;
      }
      case 'decided':
        this.decide(voter, effect.value.toHex());
        return;
      case 'equivocated':
      case 'want':
        return;
    }
  }

  private sendBallot(index: number, voter: Voter, { round, step, value }: VoteEffect & { readonly effect: 'cast' }): void {
    const ballot: Ballot = {
      network: this.instance,
      instance: this.instance,
      round,
      step,
      node: Uint8Array.fromHex(voter.node),
      ...(value && { value }),
    };
    this.rounds = Math.max(this.rounds, round);
    if (voter.honest) this.requireOne(ballot);
    const own = sealed(ballot);
    this.step(index, { type: 'ballotReceived', cast: own });
    for (const to of this.all.keys()) {
      if (to !== index && this.groups[to] === this.groups[index]) this.post(to, { type: 'ballotReceived', cast: this.forPeer(voter, own) });
    }
  }

  private forPeer(voter: Voter, own: CastBallot): CastBallot {
    if (voter.honest || this.scenario.faulty !== 'mutating' || !this.chance.happens(0.5)) return own;
    this.mutations += 1;
    return sealed(changed(own.ballot, this.chance));
  }

  private sayAgain(index: number, envelope: Uint8Array): void {
    const cast = envelopes.get(envelope);
    if (cast) this.toGroup(index, { type: 'ballotReceived', cast });
  }

  private toGroup(index: number, message: Message): void {
    for (const to of this.all.keys()) if (to !== index && this.groups[to] === this.groups[index]) this.post(to, message);
  }

  private post(to: number, message: Message): void {
    this.letters.push({ to, message });
  }

  private requireOne({ round, step, node, value }: Ballot): void {
    const slot = `${node.toHex()} ${round} ${step}`;
    const said = value?.toHex() ?? '';
    const first = this.cast.get(slot) ?? said;
    this.cast.set(slot, first);
    if (first !== said) this.broken = 'one-ballot-a-step';
  }

  private decide(voter: Voter, value: string): void {
    voter.decided = value;
    const others = this.all.filter(({ honest, decided }) => honest && decided !== undefined && decided !== value);
    if (voter.honest && others.length > 0) this.broken = 'agreement';
  }

  private allDecided(): boolean {
    return this.all.every(({ honest, decided }) => !honest || decided !== undefined);
  }
}

const instances = new Map<string, Uint8Array>();

/** One in which round 1 is proposed by whom the script says. */
function instanceFor({ firstProposer }: VoteScript, faulty: readonly string[], voters: Voters): Uint8Array {
  const known = instances.get(firstProposer);
  if (known) return known;
  for (let serial = 0; ; serial += 1) {
    const instance = blobDigest(Uint8Array.of(serial));
    if (faulty.includes(proposerOf(instance, voters, 1)) !== (firstProposer === 'faulty')) continue;
    instances.set(firstProposer, instance);
    return instance;
  }
}

/** Envelopes stand for themselves here: signatures are the caller's to check. */
const envelopes = new WeakMap<Uint8Array, CastBallot>();

function sealed(ballot: Ballot): CastBallot {
  const cast: CastBallot = { ballot, envelope: new Uint8Array(1), key };
  envelopes.set(cast.envelope, cast);
  return cast;
}

function changed(ballot: Ballot, chance: Chance): Ballot {
  const { value, ...rest } = ballot;
  switch (chance.pick(['round', 'value', 'none', 'step'] as const)) {
    case 'round':
      return { ...ballot, round: Math.max(0, ballot.round + chance.pick([-1, 1, 2])) };
    case 'value':
      return { ...rest, value: chance.pick(values) };
    case 'none':
      return rest;
    case 'step':
      return { ...ballot, step: ballot.step === 'prevote' ? 'precommit' : 'prevote', ...(value && { value }) };
  }
}

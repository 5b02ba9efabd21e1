/**
 * What the exploration rests on: a voter that was never restarted says nothing that one started from its record, which
 * hears ballots of one round and step at a time, could not say. Specification §13.3.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CastBallot, VoteEvent, VoteRecord } from '../../device/votes/decision.ts';
import { startDecision, stepDecision, type DecisionState } from '../../device/votes/machine.ts';
import { proposerOf } from '../../device/votes/proposer.ts';
import { Assembly, ballot, baseMs, instance, X, Y } from '../unit/votes/assembly.ts';

test('whatever a voter says, it could have said after a restart (§13.3)', () => {
  let compared = 0;
  for (let seed = 1; seed <= 60; seed += 1) {
    const assembly = new Watched(seed, [X, Y, seed % 2 === 0 ? X : undefined], 1);
    assembly.weather = { loss: 0.25, twice: 0.2, delayMaxMs: 3 * baseMs };
    assembly.open(400);
    assembly.run(15_000);
    compared += assembly.compared;
    assert.deepEqual(assembly.strange, [], `seed ${seed}`);
  }
  assert.ok(compared > 500, `${compared} steps were compared`);
});

type Said = VoteRecord['cast'][number];

class Watched extends Assembly {
  compared = 0;
  readonly strange: string[] = [];

  override step(node: string, event: VoteEvent): void {
    const voter = this.voter(node);
    const before: VoteRecord = {
      round: voter.state.round,
      cast: [...voter.state.cast],
      ...(voter.state.locked && { locked: voter.state.locked }),
    };
    const heard = event.type === 'ballotReceived' ? [event.cast] : [];
    super.step(node, event);
    const after = voter.state.cast.filter((cast) => !before.cast.some((known) => slotOf(known) === slotOf(cast)));
    if (after.length === 0 || (event.type === 'ballotReceived' && event.cast.ballot.node.toHex() === node)) return;
    this.compared += 1;
    if (!this.#canSay(node, before, after, [...ballotsOf(voter.state), ...heard], voter.state))
      this.strange.push(`${node}: ${after.map(slotOf).join(', ')}`);
  }

  /** Searches for a way in restarts, each with ballots of one round and step, a proposal, a candidate or nothing, and timers or not. */
  #canSay(node: string, from: VoteRecord, wanted: readonly Said[], heard: readonly CastBallot[], state: DecisionState): boolean {
    const open = [from];
    const seen = new Set<string>();
    for (let record = open.pop(); record; record = open.pop()) {
      const said = record;
      const name = `${said.round} ${said.cast.map(slotOf).join()}`;
      if (seen.has(name)) continue;
      seen.add(name);
      if (wanted.every((cast) => said.cast.some((own) => slotOf(own) === slotOf(cast)))) return true;
      for (const events of this.#hearings(said.round, heard, state)) {
        const next = this.#restarted(node, said, events);
        const foreign = next.cast.some((own) => ![...wanted, ...from.cast].some((cast) => slotOf(own) === slotOf(cast)));
        if (!foreign) open.push(next);
      }
    }
    return false;
  }

  #hearings(round: number, heard: readonly CastBallot[], state: DecisionState): VoteEvent[][] {
    const at = this.nowMs;
    const tallies = (['prevote', 'precommit'] as const).map((step) =>
      heard
        .filter(({ ballot: { round: of, step: kind } }) => of === round && kind === step)
        .map((cast): VoteEvent => ({ type: 'ballotReceived', cast, nowMs: at })),
    );
    const ahead = heard.filter((cast) => cast.ballot.round > round).map((cast): VoteEvent => ({ type: 'ballotReceived', cast, nowMs: at }));
    const candidates = [X, Y].map((value): VoteEvent[] => [{ type: 'candidateChosen', value, nowMs: at }]);
    const proposal = state.proposals.get(round);
    const proposals = proposal ? this.#proposal(round, proposal.value, proposal.validRound) : [];
    const timers: VoteEvent = { type: 'ticked', nowMs: at + 1_000_000 };
    const pairs = ahead.flatMap((left) => ahead.map((right) => [left, right]));
    return [
      [],
      [timers],
      ...tallies,
      ...tallies.map((tally) => [...tally, timers]),
      ...tallies.map((tally) => tally.slice(0, -1)),
      ...pairs,
      ...candidates,
      proposals,
    ];
  }

  #proposal(round: number, value: Uint8Array, validRound: number | undefined): VoteEvent[] {
    const from = proposerOf(instance, this.voters, round);
    const prevotes = validRound === undefined ? [] : this.nodes.map((node) => ballot(node, validRound, 'prevote', value));
    return [{ type: 'proposalReceived', nowMs: this.nowMs, from, round, value, prevotes, ...(validRound !== undefined && { validRound }) }];
  }

  #restarted(node: string, kept: VoteRecord, events: readonly VoteEvent[]): VoteRecord {
    const state = startDecision({ instance, voters: this.voters, self: node, baseMs, repeatMs: 1e9, kept });
    const tell = (event: VoteEvent): void => {
      for (const effect of stepDecision(state, event)) {
        if (effect.effect === 'cast')
          tell({ type: 'ballotReceived', cast: ballot(node, effect.round, effect.step, effect.value), nowMs: event.nowMs });
      }
    };
    for (const value of [X, Y]) tell({ type: 'valueKnown', value, nowMs: this.nowMs });
    for (const event of events) tell(event);
    return { round: state.round, cast: [...state.cast], ...(state.locked && { locked: state.locked }) };
  }
}

function slotOf({ round, step, value }: Said): string {
  return `${step} ${round} ${value?.toHex().slice(0, 8) ?? 'none'}`;
}

function ballotsOf(state: DecisionState): CastBallot[] {
  return [...state.rounds.values()].flatMap(({ prevote, precommit }) =>
    [prevote, precommit].flatMap((tally) => [...tally.first.values()].map(({ cast }) => cast)),
  );
}

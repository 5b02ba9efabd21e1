/**
 * Every scenario of a kind, by its index: four voters, one of whom runs on two machines, four phases, in each of which the five
 * machines are parted into two groups at most, and candidates of two values. Twins: Bano and others, OPODIS 2021. Specification §13.5.
 */
import type { VoteScenario } from '../vote-world.ts';

const voters = 4;
const machines = voters + 1;
const phases = 4;
/** The first machine is in group 0, and its candidate the first value: groups and values have no names. */
const choices = 1 << (machines - 1);
/** Whether the twins or another voter propose in round 1. */
const proposers = 2;

/** 2^21. */
export const enumeratedTwins = proposers * choices ** (phases + 1);

/** Odd, so that any run of indices is spread over all, and all indices are all scenarios. */
const stride = 0x9e3779b1;

/** @param index from 0 to `enumeratedTwins` − 1 */
export function twinsOf(index: number): VoteScenario {
  let left = (Math.imul(index, stride) >>> 0) % enumeratedTwins;
  const drawn = (below: number): number => {
    const choice = left % below;
    left = Math.floor(left / below);
    return choice;
  };
  const played = Array.from({ length: phases }, () => bitsOf(drawn(choices)));
  const candidates = bitsOf(drawn(choices));
  const firstProposer = drawn(proposers) === 0 ? 'faulty' : 'honest';
  return { seed: index, voters, faulty: 'twins', moments: phases * momentsPerPhase, script: { phases: played, candidates, firstProposer } };
}

/** A round of votes and its waits. */
export const momentsPerPhase = 4;

function bitsOf(choice: number): number[] {
  return [0, ...Array.from({ length: machines - 1 }, (_, bit) => (choice >> bit) & 1)];
}

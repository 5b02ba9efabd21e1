/** A share of the scenarios of `npm run simulate -- twins` and `-- mutations`, and what came of it. */
import { runTwins, voteScenarioOf } from '../twins.ts';
import { runVotes } from '../vote-world.ts';
import { twinsOf } from './enumerated-twins.ts';
import { runMutations } from './mutated-messages.ts';

export type Adversary = 'twins' | 'mutations';

export interface Batch {
  readonly adversary: Adversary;
  readonly index: number;
}

/** Numbers by what was counted; the first says how much was done. */
export interface BatchOutcome {
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

/** For each world with blocks so many decisions alone: they are so much quicker. */
const enumeratedPerBatch = 1_800;
const drawnPerBatch = 199;

/** Scenarios of a batch with twins. */
export const twinsPerBatch = enumeratedPerBatch + drawnPerBatch + 1;

export function runBatch({ adversary, index }: Batch): BatchOutcome {
  return adversary === 'twins' ? twinsBatch(index) : mutationsBatch(index);
}

function twinsBatch(index: number): BatchOutcome {
  const enumerated = Array.from({ length: enumeratedPerBatch }, (_, one) => twinsOf(index * enumeratedPerBatch + one));
  const drawn = Array.from({ length: drawnPerBatch }, (_, one) => voteScenarioOf(index * drawnPerBatch + one));
  const failures: string[] = [];
  let mutatedBallots = 0;
  for (const scenario of [...enumerated, ...drawn]) {
    const { broken, mutations } = runVotes(scenario);
    mutatedBallots += mutations;
    if (broken) failures.push(`${scenario.script ? 'enumerated' : 'drawn'} decision ${scenario.seed}: ${broken}`);
  }
  const world = runTwins(index);
  if (world.broken) failures.push(`world of seed ${index}: ${world.broken.detail}`);
  return {
    counts: {
      scenarios: twinsPerBatch,
      'decisions of enumerated partitions': enumerated.length,
      'decisions of drawn partitions': drawn.length,
      'ballots mutated in them': mutatedBallots,
      'worlds with blocks': 1,
    },
    failures,
  };
}

function mutationsBatch(index: number): BatchOutcome {
  const { outcome, bytes, signed } = runMutations(index + 1);
  const { broken, seed, figures } = outcome;
  return {
    counts: { 'mutated messages': bytes + signed, 'of them signed again': signed, networks: 1, checkpoints: figures.checkpoint },
    failures: broken ? [`network of seed ${seed}: ${broken.checker}: ${broken.detail}`] : [],
  };
}

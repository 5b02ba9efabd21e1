/** Asks a chain what it can. Specification §20.8; what the answers mean says `probe.ts`. */
import type { Block } from './answers.ts';
import { describeComparison } from './comparison.ts';
import type { Endpoints, Question } from './endpoints.ts';
import type { Finality } from './chain-view.ts';
import { LAYER1_LIMITS } from './limits.ts';
import { finalityOf, judgeChain, PROBE_QUESTIONS, type ChainAbilities, type ProbeAnswer, type ProbeName } from './probe.ts';

/** What it is asked takes a second; unknown is what endpoints don't agree on, or don't answer. */
export async function probeChain(endpoints: Endpoints): Promise<ChainAbilities> {
  const names = Object.keys(PROBE_QUESTIONS) as ProbeName[];
  const answers = await Promise.all(names.map(async (name) => [name, await probe(endpoints, name)] as const));
  const blocks = await newestBlocks(endpoints);
  return judgeChain({ chainId: endpoints.chainId, answers: Object.fromEntries(answers) as Record<ProbeName, ProbeAnswer>, blocks });
}

/** How the chain says what is final; undefined where its endpoints are away, or differ. */
export async function probeFinality(endpoints: Endpoints): Promise<Finality | undefined> {
  const [head, answer] = await Promise.all([endpoints.head(), probe(endpoints, 'finalized')]);
  return head.status === 'agreed' && answer.status !== 'unknown' ? finalityOf(answer) : undefined;
}

async function probe(endpoints: Endpoints, name: ProbeName): Promise<ProbeAnswer> {
  const compared = await endpoints.ask(probing(name));
  return compared.status === 'agreed' ? compared.value : { status: 'unknown', why: describeComparison(compared) };
}

/** A refusal says that the chain can't, and is compared like any answer. Which block is final endpoints may see at different times. */
function probing(name: ProbeName): Question<ProbeAnswer> {
  const { method, params } = PROBE_QUESTIONS[name];
  return {
    method,
    params,
    read: (answer) =>
      answer.status === 'answered' && answer.value !== null ? { status: 'said', value: answer.value } : { status: 'nothing' },
    words: (answer) => (answer.status !== 'said' ? 'nothing' : typeof answer.value === 'string' ? answer.value.slice(0, 80) : 'a block'),
  };
}

async function newestBlocks(endpoints: Endpoints): Promise<Block[]> {
  const head = await endpoints.head();
  if (head.status !== 'agreed') return [];
  const count = Math.min(LAYER1_LIMITS.probedBlocks, head.value.number + 1);
  const blocks = await Promise.all(Array.from({ length: count }, (_, back) => endpoints.block(head.value.number - back)));
  return blocks.flatMap((block) => (block.status === 'agreed' ? [block.value] : []));
}

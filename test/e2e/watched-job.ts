/** A capsule that keeps processors of its box busy for some seconds, and all that its client is told of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnergyNews, ResultNews, StateNews } from '#protocol/client-messages.ts';
import { capsuleInMemory } from '../../scripts/client/capsule-in-memory.ts';
import type { Client } from '../../scripts/client/client.ts';

/** So many loops that leave no processor a rest. */
const SCRIPT = `end=$(( $(date +%s) + $1 ))
burn() { while [ $(date +%s) -lt $end ]; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done; }
n=1; while [ $n -lt $2 ]; do burn & n=$((n+1)); done
burn; wait
echo 42 > "$CAPSTAN_OUT/answer"
`;
const WALL_S = 90;
const RUNNING_MAX_MS = 60_000;
const LOOK_EVERY_MS = 20;

export interface WatchedJob {
  readonly capsule: string;
  readonly states: readonly StateNews[];
  readonly energy: readonly EnergyNews[];
  /** The box of the attempt, once it runs there. */
  running(attempt: number): Promise<string>;
  result(): Promise<ResultNews>;
}

export async function startJob(client: Client, seconds: number, loops = 1): Promise<WatchedJob> {
  const limits = { wallSeconds: WALL_S, cpuSeconds: WALL_S * loops, processes: 64 + 2 * loops };
  const written = { capsule: 1 as const, runtime: 'shell', entry: 'main.sh', arguments: [String(seconds), String(loops)], limits };
  const { capsule } = await client.submit(capsuleInMemory(written, { 'main.sh': new TextEncoder().encode(SCRIPT) }, Date.now()));
  const states: StateNews[] = [];
  const energy: EnergyNews[] = [];
  const watched = (async () => {
    for await (const news of client.watch(capsule)) {
      if (news.news === 'state') states.push(news);
      if (news.news === 'energy') energy.push(news);
      if (news.news === 'result') return;
    }
  })();
  watched.catch(() => undefined);
  return {
    ...{ capsule, states, energy },
    running: async (attempt) => {
      for (const endMs = Date.now() + RUNNING_MAX_MS; Date.now() < endMs; await sleep(LOOK_EVERY_MS)) {
        const box = states.find((news) => news.state === 'running' && (news.attempt ?? 1) === attempt)?.box;
        if (box !== undefined) return box;
      }
      const story = states.map(({ state, box = '', attempt: which, detail = '' }) => `${state} ${which ?? ''} ${box} ${detail}`);
      throw new Error(`attempt ${attempt} of ${capsule} does not run: ${story.join('; ')}`);
    },
    result: () => client.result(capsule),
  };
}

/** The machine of a run (protocol/README.md §6.4). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assignRun, NOTHING_LEFT, restoreRun, stepRun, type Ending, type Run, type RunEffect, type RunEvent } from '../../hpc-agent/run.ts';

const capsule = new Uint8Array(32).fill(7);
const report = Uint8Array.of(1, 2, 3);
const exited: Ending = { ...NOTHING_LEFT, outcome: { outcome: 'exited', status: 0 }, usage: { wallMs: 9, cpuMs: 8, memoryBytesMax: 7 } };

/** The run after these events, and all effects from first to last. */
function after(events: readonly RunEvent[], from = assignRun(capsule, 100)): { run: Run; effects: RunEffect[] } {
  let { run } = from;
  const effects = [...from.effects];
  for (const event of events) {
    const step = stepRun(run, event);
    run = step.run;
    effects.push(...step.effects);
  }
  return { run, effects };
}

const toRunning: RunEvent[] = [{ event: 'placeGiven' }, { event: 'inputFetched', atMs: 200 }];
const toReported: RunEvent[] = [...toRunning, { event: 'ended', ending: exited, atMs: 300 }, { event: 'reportSigned', report }];

function draftOf(effects: readonly RunEffect[]) {
  const signs = effects.filter((effect) => effect.effect === 'sign');
  assert.equal(signs.length, 1, 'one run is signed once');
  return signs[0]!.draft;
}

describe('a run of a capsule (§6.4)', () => {
  test('goes from assigned through fetching and running to reported and forgotten, and persists before it says', () => {
    const { run, effects } = after([...toReported, { event: 'acknowledged', atMs: 400 }]);
    assert.deepEqual(run, { state: 'forgotten', sinceMs: 400 });
    assert.deepEqual(effects, [
      { effect: 'persist', record: { stage: 'assigned', capsule, assignedAtMs: 100 } },
      { effect: 'say', state: 'fetching' },
      { effect: 'lineUp' },
      { effect: 'fetch' },
      { effect: 'persist', record: { stage: 'running', capsule, startedAtMs: 200 } },
      { effect: 'say', state: 'running' },
      { effect: 'start' },
      { effect: 'leavePlace' },
      { effect: 'sign', draft: { ...exited, startedAtMs: 200, endedAtMs: 300 } },
      { effect: 'persist', record: { stage: 'reported', report } },
      { effect: 'say', state: 'reported' },
      { effect: 'send', report },
      { effect: 'repeatAfter', waitMs: 10_000 },
      { effect: 'persist', record: { stage: 'forgotten', forgottenAtMs: 400 } },
      { effect: 'forget' },
    ]);
  });

  test('answers a repeated assignment with its state in every state, and never starts again', () => {
    const stories: [RunEvent[], string][] = [
      [[], 'fetching'],
      [toRunning.slice(0, 1), 'fetching'],
      [toRunning, 'running'],
      [[...toRunning, { event: 'cancelled', reason: 'cancelled-by-client', atMs: 250 }], 'running'],
      [toReported, 'reported'],
      [[...toReported, { event: 'acknowledged', atMs: 400 }], 'unknown'],
    ];
    for (const [events, state] of stories) {
      const before = after(events).run;
      const again = stepRun(before, { event: 'assignedAgain' });
      assert.equal(again.run, before);
      assert.equal(again.effects[0]?.effect === 'say' && again.effects[0].state, state);
      assert.ok(!again.effects.some(({ effect }) => effect === 'fetch' || effect === 'start'));
    }
  });

  test('that was cancelled in line, while fetching or while running is reported with the reason of the cancellation', () => {
    const cancelled: RunEvent = { event: 'cancelled', reason: 'deadline', atMs: 250 };
    const inLine = draftOf(after([cancelled]).effects);
    assert.deepEqual(inLine.outcome, { outcome: 'failed', reason: 'deadline', detail: 'stopped before it started' });
    const refused: RunEvent = {
      event: 'inputRefused',
      outcome: { outcome: 'failed', reason: 'blob-missing', detail: 'given up' },
      atMs: 260,
    };
    const fetching = after([{ event: 'placeGiven' }, cancelled, refused]);
    assert.deepEqual(draftOf(fetching.effects).outcome, inLine.outcome);
    const killed: Ending = { ...exited, outcome: { outcome: 'killed', reason: 'cancelled-by-client' } };
    const running = after([...toRunning, cancelled, { event: 'ended', ending: killed, atMs: 270 }]);
    assert.deepEqual(draftOf(running.effects), {
      ...killed,
      outcome: { outcome: 'killed', reason: 'deadline' },
      startedAtMs: 200,
      endedAtMs: 270,
    });
    for (const story of [fetching, running]) assert.equal(story.effects.filter(({ effect }) => effect === 'stop').length, 1);
  });

  test('that was told to stop just as its input was complete does not start', () => {
    const { run, effects } = after([
      { event: 'placeGiven' },
      { event: 'cancelled', reason: 'cancelled-by-client', atMs: 250 },
      { event: 'inputFetched', atMs: 251 },
    ]);
    assert.equal(run.state, 'closing');
    assert.ok(!effects.some(({ effect }) => effect === 'start'));
  });

  test('that exited before the stop reached it has exited', () => {
    const { effects } = after([
      ...toRunning,
      { event: 'cancelled', reason: 'deadline', atMs: 250 },
      { event: 'ended', ending: exited, atMs: 270 },
    ]);
    assert.deepEqual(draftOf(effects).outcome, exited.outcome);
  });

  test('whose agent is stopping ends as agent-restarted, which the device tries again', () => {
    const killed: Ending = { ...exited, outcome: { outcome: 'killed', reason: 'cancelled-by-client' } };
    const { effects } = after([...toRunning, { event: 'agentStopping', atMs: 250 }, { event: 'ended', ending: killed, atMs: 270 }]);
    assert.deepEqual(draftOf(effects).outcome, {
      outcome: 'failed',
      reason: 'agent-restarted',
      detail: 'the agent of the box was stopped or restarted during the run',
    });
  });

  test('that an earlier agent left unreported is reported as agent-restarted; a reported one keeps its bytes', () => {
    for (const record of [
      { stage: 'assigned', capsule, assignedAtMs: 100 },
      { stage: 'running', capsule, startedAtMs: 200 },
    ] as const) {
      const { run, effects } = after([{ event: 'agentRestarted', atMs: 900 }], { run: restoreRun(record), effects: [] });
      assert.equal(run.state, 'closing');
      assert.equal(draftOf(effects).outcome.outcome, 'failed');
      assert.equal(draftOf(effects).startedAtMs, record.stage === 'running' ? 200 : 900);
      assert.equal(draftOf(effects).endedAtMs, 900);
    }
    const restored = after([{ event: 'agentRestarted', atMs: 900 }, { event: 'connected' }], {
      run: restoreRun({ stage: 'reported', report }),
      effects: [],
    });
    assert.deepEqual(restored.effects, [
      { effect: 'repeatAfter', waitMs: 10_000 },
      { effect: 'say', state: 'reported' },
      { effect: 'send', report },
    ]);
  });

  test('repeats its report with growing waits up to five minutes', () => {
    let { run } = after(toReported);
    const waits: number[] = [];
    for (let times = 0; times < 7; times += 1) {
      const step = stepRun(run, { event: 'repeatDue' });
      run = step.run;
      for (const effect of step.effects) if (effect.effect === 'repeatAfter') waits.push(effect.waitMs);
    }
    assert.deepEqual(waits, [20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
  });

  test('once reported, changes its report for nothing that comes', () => {
    const reported = after(toReported).run;
    const late: RunEvent[] = [
      { event: 'cancelled', reason: 'deadline', atMs: 400 },
      { event: 'ended', ending: { ...exited, outcome: { outcome: 'exited', status: 1 } }, atMs: 401 },
      { event: 'reportSigned', report: Uint8Array.of(9) },
      { event: 'agentStopping', atMs: 402 },
      { event: 'placeGiven' },
      { event: 'inputFetched', atMs: 403 },
    ];
    for (const event of late) assert.equal(stepRun(reported, event).run, reported);
  });

  test('is forgotten only when its report was acknowledged', () => {
    for (const events of [[], toRunning.slice(0, 1), toRunning]) {
      const { run } = after(events);
      assert.equal(stepRun(run, { event: 'acknowledged', atMs: 1 }).run, run);
    }
  });
});

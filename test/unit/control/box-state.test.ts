/** The machine of a box: every move by name, and what no order of events may bring about. Specification §17.1-17.2. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BOX_STATES,
  mayTakeWork,
  MOVES,
  newBox,
  stepBox,
  wantsEvidence,
  type BoxEvent,
  type BoxStanding,
  type BoxState,
} from '../../../device/control/box-state.ts';
import { ACTIONS, actionOn, ALARMS, DEFAULT_POLICY } from '../../../device/control/policy.ts';

const evidence = (askedAtMs: number): BoxEvent => ({ type: 'evidence', askedAtMs });
const alarm = (word: (typeof ALARMS)[number], action: (typeof ACTIONS)[number], about = ''): BoxEvent => ({
  ...{ type: 'alarm', alarm: word, about, detail: `${word} for a test`, action },
});

/** Each event a millisecond after the other. */
function after(...events: readonly BoxEvent[]): BoxStanding {
  return events.reduce((box, event, index) => stepBox(box, event, index + 1), newBox(0));
}

const ready: readonly BoxEvent[] = [{ type: 'power', power: 'on' }, { type: 'hello' }, evidence(2)];
const ways: Readonly<Record<BoxState, readonly BoxEvent[]>> = {
  off: [],
  booting: ready.slice(0, 1),
  attesting: ready.slice(0, 2),
  ready,
  working: [...ready, { type: 'runs', runs: 1 }],
  suspect: [...ready, alarm('temperature', 'suspect')],
  fenced: [...ready, alarm('intrusion', 'fence')],
};

const anyEvent: fc.Arbitrary<BoxEvent> = fc.oneof(
  fc.constantFrom('on', 'off', 'sleeping', 'unknown').map((power): BoxEvent => ({ type: 'power', power: power as 'on' })),
  fc.constantFrom<BoxEvent>({ type: 'hello' }, { type: 'silence' }, { type: 'changed', detail: 'x' }),
  fc.constantFrom<BoxEvent>({ type: 'fence', by: 'o' }, { type: 'release', by: 'o' }),
  fc.constantFrom<BoxEvent>({ type: 'switch', power: 'on' }, { type: 'switch', power: 'off' }),
  fc.nat(40).map(evidence),
  fc.nat(2).map((runs): BoxEvent => ({ type: 'runs', runs })),
  fc.tuple(fc.constantFrom(...ALARMS), fc.constantFrom(...ACTIONS), fc.constantFrom('', 'a')).map((parts) => alarm(...parts)),
  fc.tuple(fc.constantFrom(...ALARMS), fc.constantFrom('', 'a')).map(([word, about]): BoxEvent => ({ type: 'over', alarm: word, about })),
);
const anyLife = fc.array(anyEvent, { maxLength: 40 });

/** All of a life: what each event found and left. */
function steps(life: readonly BoxEvent[]): { before: BoxStanding; event: BoxEvent; box: BoxStanding; atMs: number }[] {
  let box = newBox(0);
  return life.map((event, index) => {
    const before = box;
    box = stepBox(box, event, index + 1);
    return { before, event, box, atMs: index + 1 };
  });
}

describe('the states of a box (§17.1)', () => {
  it('a box comes to work by power, hello, accepted evidence and a run, in this order', () => {
    for (const state of BOX_STATES) assert.equal(after(...ways[state]).state, state);
  });

  it('each state moves exactly as its row of the table says', () => {
    const made: Record<string, BoxEvent> = {
      ...{ 'power-on': { type: 'power', power: 'on' }, 'power-off': { type: 'power', power: 'off' } },
      ...{ hello: { type: 'hello' }, silence: { type: 'silence' }, changed: { type: 'changed', detail: 'x' } },
      ...{ suspected: alarm('contradiction', 'suspect'), fenced: alarm('intrusion', 'fence', 'x') },
    };
    for (const state of BOX_STATES)
      for (const [move, event] of Object.entries(made)) {
        const unknown = { ...after(...ways[state]), power: 'unknown' as const };
        const expected = MOVES[state][move as keyof (typeof MOVES)[typeof state]] ?? state;
        assert.equal(stepBox(unknown, event, 99).state, expected, `${state} at ${move}`);
      }
  });

  it('every state has a way out', () => {
    for (const state of BOX_STATES) assert.ok(Object.keys(MOVES[state]).length > 0, state);
    const back = [{ type: 'release', by: 'o' }, { type: 'over', alarm: 'intrusion', about: '' }, evidence(50)] as const;
    const box = back.reduce<BoxStanding>((held, event) => stepBox(held, event, 50), after(...ways.fenced));
    assert.equal(box.state, 'ready');
  });

  it('nobody comes to be ready but by evidence that was asked for since', () => {
    fc.assert(
      fc.property(anyLife, (life) => {
        for (const { before, event, box } of steps(life)) {
          if (!mayTakeWork(box) || mayTakeWork(before)) continue;
          assert.equal(event.type, 'evidence');
          assert.ok(event.askedAtMs >= before.evidenceFromMs);
        }
      }),
    );
  });

  it('a fenced box stays fenced without the word of the operator and evidence after it, whatever else happens', () => {
    fc.assert(
      fc.property(anyLife, (life) => {
        let wordAtMs: number | undefined;
        for (const { before, event, box, atMs } of steps(life)) {
          if (before.state !== 'fenced') wordAtMs = undefined;
          if (before.state === 'fenced' && event.type === 'release') wordAtMs = atMs;
          if (before.state !== 'fenced' || box.state === 'fenced') continue;
          assert.equal(event.type, 'evidence');
          assert.ok(wordAtMs !== undefined && event.askedAtMs >= wordAtMs);
          assert.deepEqual(before.standing, []);
        }
      }),
    );
  });

  it('what stands against a box keeps it out of work until it is over', () => {
    fc.assert(
      fc.property(anyLife, (life) => {
        for (const { box } of steps(life)) if (box.standing.length > 0) assert.ok(box.state === 'suspect' || box.state === 'fenced');
      }),
    );
  });

  it('working means a run, ready means none', () => {
    fc.assert(
      fc.property(anyLife, (life) => {
        for (const { box } of steps(life)) {
          if (box.state === 'working') assert.ok(box.runs > 0);
          if (box.state === 'ready') assert.equal(box.runs, 0);
        }
      }),
    );
  });

  it('a suspect box is back by fresh evidence once it is cool, and not before', () => {
    const hot = after(...ways.suspect);
    assert.equal(wantsEvidence(hot), false);
    assert.equal(stepBox(hot, evidence(60), 60).state, 'suspect');
    const cool = stepBox(hot, { type: 'over', alarm: 'temperature', about: '' }, 70);
    assert.equal(stepBox(cool, evidence(69), 71).state, 'suspect', 'evidence that was asked for while it was hot');
    assert.equal(stepBox(cool, evidence(70), 71).state, 'ready');
  });
});

describe('alarms and policy (§17.2)', () => {
  it('an alarm does what the policy of the box says, and else what the specification says', () => {
    assert.equal(actionOn('intrusion', {}), 'fence');
    assert.equal(actionOn('intrusion', { intrusion: 'notice' }), 'notice');
    for (const word of ALARMS) assert.equal(actionOn(word, {}), DEFAULT_POLICY[word]);
  });

  it('a notice moves nothing and stands nowhere', () => {
    const box = after(...ready);
    assert.equal(stepBox(box, alarm('intrusion', 'notice'), 9), box);
  });

  it('a contradiction is forgotten at nobody’s word but the operator’s', () => {
    const box = after(...ready, alarm('contradiction', 'suspect', 'idle-at-work'));
    assert.equal(stepBox(box, evidence(50), 50), box);
    const word = stepBox(box, { type: 'release', by: 'o' }, 60);
    assert.equal(word.state, 'suspect');
    assert.equal(stepBox(word, evidence(60), 61).state, 'ready');
  });

  it('an alarm after the word takes the word back', () => {
    const word = stepBox(after(...ways.fenced), { type: 'release', by: 'o' }, 50);
    const again = stepBox(word, alarm('silent-at-work', 'fence'), 60);
    const closed = stepBox(again, { type: 'over', alarm: 'intrusion', about: '' }, 70);
    assert.equal(stepBox(closed, evidence(80), 80).state, 'fenced');
  });
});

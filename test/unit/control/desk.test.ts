/** The operator's word in files, from both sides, with control behind it in memory. Specification §17.7. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PowerOutcome } from '../../../device/board/ports.ts';
import { askDesk } from '../../../device/control/ask-desk.ts';
import { ControlDesk } from '../../../device/control/desk.ts';
import { DeskFiles, type DeskAnswer } from '../../../device/control/desk-files.ts';
import { CONTROL_LIMITS } from '../../../device/control/limits.ts';
import { BOX, ControlWorld, NAMED } from './world.ts';

let state: string;
let files: DeskFiles;
let world: ControlWorld;
let nowMs: number;
const log: string[] = [];
const desks: ControlDesk[] = [];

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'capstan-desk-'));
  files = new DeskFiles(state);
  world = await ControlWorld.ready();
  nowMs = Date.now();
  log.length = 0;
});
afterEach(async () => {
  for (const desk of desks.splice(0)) desk.close();
  await world.control.close();
  rmSync(state, { recursive: true, force: true });
});

function openDesk(control: ControlWorld['control'] = world.control): ControlDesk {
  const desk = new ControlDesk({ stateFolder: state, control, now: () => nowMs, log: (event) => void log.push(event) });
  desks.push(desk);
  return desk;
}

async function answered(id: string): Promise<DeskAnswer> {
  for (const end = Date.now() + 5_000; Date.now() < end; await sleep(5)) {
    const answer = files.answerTo(id);
    if (answer) return answer;
  }
  return assert.fail(`${id} is not answered; there are ${readdirSync(files.path).join(', ')}`);
}

/** A request that the firmware finds under this id, whatever it is. */
function planted(make: (file: string) => void, id = 'a'.repeat(32)): string {
  make(join(files.path, `${id}.json`));
  return id;
}

/** Presses that end when the test says so. */
function slowPresses(): { readonly end: () => void } {
  const { promise, resolve } = Promise.withResolvers<PowerOutcome>();
  world.hardware.power = (verb) => {
    world.hardware.pressed.push(verb);
    return promise;
  };
  return { end: () => resolve({ status: 'done' }) };
}

describe('a request is taken and answered (§17.7)', () => {
  it('an order is done, and answered with where the box stands then', async () => {
    openDesk();
    const answer = await answered(files.ask({ ask: 'order', box: BOX, verb: 'fence' }));
    assert.deepEqual(
      [answer.outcome, answer.boxes[0]?.standing.state, answer.boxes[0]?.against],
      ['done', 'fenced', [{ alarm: 'operator', about: '' }]],
    );
    assert.equal(world.state, 'fenced');
  });

  it('a list has the power of each box, and one box all that is sensed of it', async () => {
    openDesk();
    world.hardware.reads('feed', 143_000);
    world.hardware.reads('case', 0);
    const [listed] = (await answered(files.ask({ ask: 'boxes' }))).boxes;
    assert.deepEqual(
      listed?.readings.map(({ sensor, news }) => [sensor, news.value, news.unit]),
      [['feed', 143_000, 'mW']],
    );
    const [shown] = (await answered(files.ask({ ask: 'box', box: BOX }))).boxes;
    assert.ok(shown);
    assert.deepEqual(
      shown.readings.map(({ sensor }) => sensor),
      ['feed', 'case'],
    );
    assert.deepEqual([shown.standing.state, shown.standing.power, shown.verbs], ['ready', 'on', ['on', 'hard-off', 'reset']]);
  });

  it('what is refused says why, and what is not paired is unknown', async () => {
    openDesk();
    const strange = await answered(files.ask({ ask: 'order', box: 'stranger', verb: 'on' }));
    assert.deepEqual([strange.outcome, strange.reason, strange.boxes], ['refused', 'unknown-box', []]);
    const unable = await answered(files.ask({ ask: 'order', box: BOX, verb: 'cut-mains' }));
    assert.deepEqual([unable.outcome, unable.reason], ['refused', 'not-wired']);
    assert.match(unable.detail ?? '', /it does on, hard-off, reset$/);
  });

  it('it is noticed without anybody looking, and its files are for the account of the firmware alone', async () => {
    openDesk();
    const begunAtMs = performance.now();
    await answered(files.ask({ ask: 'boxes' }));
    assert.ok(performance.now() - begunAtMs < 2_000);
    assert.equal(execFileSync('stat', ['-c', '%a', files.path]).toString().trim(), '700');
  });

  it('while a press takes its time others are answered, and a second order to the same box is busy', async () => {
    openDesk();
    const presses = slowPresses();
    const first = files.ask({ ask: 'order', box: BOX, verb: 'hard-off' });
    assert.equal((await answered(files.ask({ ask: 'boxes' }))).outcome, 'done');
    assert.deepEqual([files.isTaken(first), files.answerTo(first)], [true, undefined]);
    const second = await answered(files.ask({ ask: 'order', box: BOX, verb: 'reset' }));
    assert.deepEqual([second.outcome, second.reason], ['refused', 'busy']);
    presses.end();
    assert.equal((await answered(first)).outcome, 'done');
    assert.deepEqual(world.hardware.pressed, ['hard-off']);
  });

  it('of many at once some wait, and all are answered', async () => {
    const presses = slowPresses();
    openDesk();
    const boxes = Array.from({ length: 3 * CONTROL_LIMITS.deskRequestsMax }, (_, index) => ({ ...NAMED, name: `box-of-many-${index}` }));
    world.control.boxesPaired([NAMED, ...boxes]);
    const ids = boxes.map(({ name }) => files.ask({ ask: 'order', box: name, verb: 'reset' }));
    await sleep(100);
    assert.equal(world.hardware.pressed.length, CONTROL_LIMITS.deskRequestsMax);
    presses.end();
    for (const id of ids) assert.equal((await answered(id)).outcome, 'done');
    assert.equal(world.hardware.pressed.length, ids.length);
  });
});

describe('what is no request does nothing and is answered so (§17.7)', () => {
  const order = JSON.stringify({ ask: 'order', box: BOX, verb: 'reset' });
  const wrong: readonly [string, (file: string) => void, RegExp][] = [
    [
      'one that is too large',
      (file) => writeFileSync(file, order.padEnd(CONTROL_LIMITS.deskRequestBytesMax + 1)),
      /it has 1025 bytes; at most 1024/,
    ],
    ['no JSON', (file) => writeFileSync(file, 'reset box-1'), /JSON/],
    ['an empty file', (file) => writeFileSync(file, ''), /the request is none/],
    ['an unknown verb', (file) => writeFileSync(file, order.replace('reset', 'explode')), /verb is "explode"/],
    ['another field', (file) => writeFileSync(file, order.replace('{', '{"force":true,')), /force/],
    ['a link to an order', (file) => linked(file, order), /it is a link/],
    ['a folder', (file) => mkdirSync(file), /it is no regular file/],
    ['a pipe, which nobody waits for', (file) => execFileSync('mkfifo', [file]), /it is no regular file/],
  ];
  for (const [what, make, expected] of wrong)
    it(what, async () => {
      const desk = openDesk();
      const id = planted(make);
      desk.look();
      const { outcome, reason, detail } = await answered(id);
      assert.deepEqual([outcome, reason], ['refused', 'malformed']);
      assert.match(detail ?? '', expected);
      assert.deepEqual(world.hardware.pressed, []);
      assert.deepEqual(
        readdirSync(files.path).filter((name) => name.startsWith(id)),
        [`${id}.answer.json`],
        'and goes',
      );
    });

  it('files with other names are left to those whose they are, until they are old', async () => {
    const desk = openDesk();
    for (const name of ['reset.json', `${'b'.repeat(31)}.json`, `${'C'.repeat(32)}.json`, `${'d'.repeat(32)}.json.new`])
      writeFileSync(join(files.path, name), order);
    desk.look();
    await sleep(50);
    assert.deepEqual(world.hardware.pressed, []);
    assert.equal(readdirSync(files.path).length, 4);
    nowMs += CONTROL_LIMITS.deskAnswerKeptMs + 5_000;
    desk.look();
    assert.deepEqual(readdirSync(files.path), []);
  });

  it('one that the firmware may not read', { skip: process.getuid?.() === 0 && 'root reads everything' }, async () => {
    openDesk();
    const id = planted((file) => {
      writeFileSync(`${file}.draft`, order, { mode: 0o600 });
      chmodSync(`${file}.draft`, 0);
      renameSync(`${file}.draft`, file);
    });
    assert.match((await answered(id)).detail ?? '', /EACCES/);
  });
});

describe('an order is for now (§17.7)', () => {
  for (const [what, seconds] of [
    ['31 s ago', -31],
    ['31 s ahead', 31],
  ] as const)
    it(`one made ${what} switches nothing`, async () => {
      const file = new DeskFiles(state);
      file.make();
      const id = file.ask({ ask: 'order', box: BOX, verb: 'reset' });
      utimesSync(join(files.path, `${id}.json`), nowMs / 1_000 + seconds, nowMs / 1_000 + seconds);
      openDesk();
      assert.deepEqual([(await answered(id)).reason, world.hardware.pressed], ['stale', []]);
    });

  it('one that nobody took for a minute is gone without an answer, and so is an answer that nobody came for', async () => {
    const desk = openDesk();
    const id = files.ask({ ask: 'order', box: BOX, verb: 'reset' });
    await answered(id);
    nowMs += CONTROL_LIMITS.deskAnswerKeptMs + 5_000;
    planted((file) => writeFileSync(file, order()));
    desk.look();
    assert.deepEqual(readdirSync(files.path), []);
    assert.deepEqual(world.hardware.pressed, ['reset']);
  });

  it('one that was withdrawn is not done; one that was taken can’t be withdrawn', async () => {
    files.make();
    const early = files.ask({ ask: 'order', box: BOX, verb: 'reset' });
    assert.equal(files.withdraw(early), true);
    slowPresses();
    openDesk();
    assert.equal(files.withdraw(early), false, 'once is enough');
    const late = files.ask({ ask: 'order', box: BOX, verb: 'hard-off' });
    for (let tries = 0; !files.isTaken(late) && tries < 200; tries += 1) await sleep(10);
    assert.equal(files.withdraw(late), false);
    assert.deepEqual(world.hardware.pressed, ['hard-off']);
  });

  it('one that was taken when the firmware ended is not done by the next, which says so', async () => {
    slowPresses();
    openDesk().close();
    const desk = openDesk();
    const id = files.ask({ ask: 'order', box: BOX, verb: 'hard-off' });
    for (let tries = 0; !files.isTaken(id) && tries < 200; tries += 1) await sleep(10);
    desk.close();
    const next = await ControlWorld.ready();
    openDesk(next.control);
    const { outcome, reason } = await answered(id);
    assert.deepEqual([outcome, reason, next.hardware.pressed], ['failed', 'interrupted', []]);
    await next.control.close();
  });
});

describe('a desk goes on (§17.7)', () => {
  it('without its folder it says so in the log and answers once it is back', async () => {
    const desk = openDesk();
    rmSync(files.path, { recursive: true });
    desk.look();
    assert.ok(log.includes('deskFailed'));
    files.make();
    const id = files.ask({ ask: 'boxes' });
    desk.look();
    assert.equal((await answered(id)).outcome, 'done');
  });

  it('an answer that can’t be written ends no firmware', async () => {
    const desk = openDesk();
    const id = planted((file) => {
      mkdirSync(join(files.path, `${'a'.repeat(32)}.answer.json`));
      writeFileSync(file, order());
    });
    desk.look();
    for (let tries = 0; !log.includes('deskFailed') && tries < 200; tries += 1) await sleep(10);
    assert.ok(log.includes('deskFailed'), id);
    assert.equal((await answered(files.ask({ ask: 'boxes' }))).outcome, 'done');
  });
});

describe('whoever asks (§17.7)', () => {
  it('gets the answer, and leaves no file', async () => {
    openDesk();
    const asked = await askDesk(state, { request: { ask: 'boxes' } });
    assert.equal(asked.status === 'answered' && asked.answer.boxes[0]?.box, BOX);
    assert.deepEqual(readdirSync(files.path), []);
  });

  it('is told at once where no firmware has ever run, and makes nothing there', async () => {
    assert.deepEqual(await askDesk(state, { request: { ask: 'boxes' } }), { status: 'withdrawn', isAborted: false });
    assert.equal(existsSync(files.path), false);
  });

  it('withdraws what nobody has taken, when its time is over or it is told to', { timeout: 30_000 }, async () => {
    files.make();
    const begunAtMs = performance.now();
    assert.deepEqual(await askDesk(state, { request: { ask: 'order', box: BOX, verb: 'reset' } }), {
      status: 'withdrawn',
      isAborted: false,
    });
    assert.ok(performance.now() - begunAtMs >= CONTROL_LIMITS.deskTakenWaitMs);
    const signal = AbortSignal.timeout(100);
    assert.deepEqual(await askDesk(state, { request: { ask: 'boxes' }, signal }), { status: 'withdrawn', isAborted: true });
    openDesk();
    await sleep(50);
    assert.deepEqual([readdirSync(files.path), world.hardware.pressed], [[], []]);
  });

  it('hears that an answer is none, such as one of another version', async () => {
    files.make();
    const asking = askDesk(state, { request: { ask: 'boxes' } });
    const [id = ''] = files.waiting();
    writeFileSync(join(files.path, `${id}.answer.json`), '{"outcome":"done","boxes":[{}]}');
    await assert.rejects(asking, new RegExp(`${id}.answer.json can't be read: .*lacks the field`));
  });

  it('is told that it was taken, and may leave then', async () => {
    slowPresses();
    openDesk();
    const leaving = new AbortController();
    const asked = await askDesk(state, {
      request: { ask: 'order', box: BOX, verb: 'hard-off' },
      onQuiet: (_, isTaken) => isTaken && leaving.abort(),
      signal: leaving.signal,
    });
    assert.deepEqual(asked, { status: 'left', isAborted: true });
  });
});

function order(): string {
  return JSON.stringify({ ask: 'order', box: BOX, verb: 'reset' });
}

/** To a file beside, which would be an order. */
function linked(file: string, content: string): void {
  writeFileSync(join(state, 'elsewhere'), content);
  symlinkSync(join(state, 'elsewhere'), file);
}

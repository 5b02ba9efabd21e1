/** `npm run pair` as a person uses it: a process of its own beside the firmware. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openWindow, WindowNotOpened } from '../../../device/pairing/open-window.ts';
import { WindowFolder } from '../../../device/pairing/window-folder.ts';
import { qrCodeLines } from '../../../scripts/pair/qr-code.ts';
import { startPairingBench, until, type PairingBench } from './pairing-bench.ts';

const program = fileURLToPath(new URL('../../../scripts/pair.ts', import.meta.url));

let bench: PairingBench;
before(async () => {
  bench = await startPairingBench();
});
after(() => bench.stop());

interface Run {
  readonly status: number | null;
  readonly output: string;
  readonly complaint: string;
}

function run(command: string, words: readonly string[], input = ''): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: 'pipe', timeout: 20_000 });
    let [output, complaint] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.once('close', (status) => resolve({ status, output, complaint }));
    child.stdin.end(input);
  });
}

const pair = (...words: string[]): Promise<Run> => run(process.execPath, [program, ...words, '--state', bench.state]);

test('a client is made in one step, again without harm, and its lines can be pasted', async () => {
  const first = await pair('client', 'alice');
  assert.equal(first.status, 0, first.complaint);
  assert.match(first.output, /Client alice is paired now with device alpha: .*clients\/alpha\/alice/);
  const again = await pair('client', 'alice');
  assert.equal(again.status, 0);
  assert.match(again.output, /is paired already/);
  const [watch, submit] = first.output.split('\n').filter((line) => line.startsWith('mosquitto_'));
  assert.ok(watch && submit);
  // What the device makes of them is tested end to end (test/e2e/spine.test.ts): here is none, only its broker.
  const watched = await run('sh', ['-c', `${watch} -E`]);
  assert.equal(watched.status, 0, watched.complaint);
  const submitted = await run('sh', ['-c', submit]);
  assert.equal(submitted.status, 0, submitted.complaint);
});

/** `pair open` as it runs beside a person, and the code that it shows. */
async function open(...words: string[]) {
  const child = spawn(process.execPath, [program, 'open', ...words, '--state', bench.state], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until(() => /code +[0-9A-Z]{4}-[0-9A-Z]{4}/.test(output), 'the code is shown', 15_000);
  const [, address = ''] = /address +(\S+)/.exec(output) ?? [];
  const [, code = ''] = /code +(\S+)/.exec(output) ?? [];
  return { child, address, code, output: () => output, ended };
}

test('a code that one end shows is typed at the other; both show the same fingerprints and digits (§5.6)', async () => {
  const window = await open('--box', 'box1');
  const out = join(bench.state, 'elsewhere');
  const joined = await run(process.execPath, [program, 'join', window.address, window.code.toLowerCase().replace('-', ' '), out]);
  assert.equal(joined.status, 0, joined.complaint);
  assert.equal(await window.ended, 0);
  assert.ok(
    ['key.pem', 'signing-key.pem', 'certificate.pem', 'ca.pem', 'connection.json', 'network.cbor'].every((file) =>
      existsSync(join(out, file)),
    ),
  );
  const comparison = (text: string): string[] => text.match(/^ +(?:(?:[0-9a-f]{4} ){15}[0-9a-f]{4}|digits.*)$/gm) ?? [];
  assert.equal(comparison(joined.output).length, 3);
  assert.deepEqual(comparison(window.output()), comparison(joined.output));
  const listed = await pair('list');
  const [, short = ''] = /box +box1 +((?:[0-9a-f]{4} ){3}[0-9a-f]{4})/.exec(listed.output) ?? [];
  assert.ok(short !== '' && joined.output.includes(short), listed.output);
  const removed = await pair('remove', 'box1');
  assert.equal(removed.status, 0, removed.complaint);
  assert.doesNotMatch((await pair('list')).output, /box1/);
});

test('a code is asked for where none was given, and a slip of the finger costs nothing; the scanned address carries it', async () => {
  const window = await open('--client', 'ada');
  const out = join(bench.state, 'ada');
  const slipped = window.code.replace(/^./, (first) => (first === '7' ? '8' : '7'));
  const joined = await run(process.execPath, [program, 'join', window.address, '--state', out], `${slipped}\n${window.code}\n`);
  assert.equal(joined.status, 0, joined.complaint);
  assert.match(joined.complaint, /costs no attempt/);
  assert.ok(existsSync(join(out, 'clients', 'alpha', 'ada', 'certificate.pem')));
  assert.doesNotMatch(window.output(), /somebody tries a code: attempt 2/);
  const next = await open('--client', 'bea');
  const scanned = await run(process.execPath, [program, 'join', `${next.address}#${next.code}`, join(bench.state, 'bea')]);
  assert.equal(scanned.status, 0, scanned.complaint);
});

test('Ctrl-C closes a window, and so does remove; whoever knows its code is too late', async () => {
  const window = await open();
  assert.match(window.address, /\/box\/alpha-box$/);
  // The device of this test listens at a loopback address: nobody is sent to another machine with it.
  assert.match(
    window.output(),
    /In another terminal of this machine:\n[^]*The address is of this machine only\. .*"hosts" in .*configuration\.json/,
  );
  assert.match((await pair('list')).output, /box +alpha-box +window open/);
  window.child.kill('SIGINT');
  assert.equal(await window.ended, 1);
  assert.match(window.output(), /is closed: its owner has closed it\. Its code is dead/);
  const other = await open('--box', 'other');
  await pair('remove', 'other');
  assert.equal(await other.ended, 1);
});

test('a QR code is drawn as light paper on a dark ground, with four modules of paper around it (ISO/IEC 18004)', () => {
  const lines = qrCodeLines('mqtts://127.0.0.1:1/box/b#0000-0000');
  const width = lines[0]?.length ?? 0;
  assert.deepEqual(lines.slice(0, 2), ['█'.repeat(width), '█'.repeat(width)]);
  assert.ok(lines.slice(0, -1).every((line) => line.length === width && line.startsWith('████') && line.endsWith('████')));
  assert.equal(lines[2]?.slice(4, 11), ' ▄▄▄▄▄ ', 'the upper edge of the first finder pattern');
});

test('whoever is interrupted before the device has read the wish leaves no window behind', async () => {
  const waiting = openWindow(bench.device, { kind: 'box', name: 'hasty' }, AbortSignal.abort());
  await assert.rejects(waiting, (error) => error instanceof WindowNotOpened && error.code === 'interrupted');
  await openWindow(bench.device, { kind: 'box', name: 'next' }).then((window) => window.withdraw());
  assert.ok(!new WindowFolder(bench.device).windows().some(({ name }) => name === 'hasty'));
});

test('what goes wrong is said in a sentence that says what would be right', async () => {
  const cases: [string[], number, RegExp][] = [
    [['client', 'Alice!'], 2, /lower-case letters/],
    [['client', 'device'], 2, /reserved/],
    [['client', 'bob', '--device', 'alpah'], 1, /did you mean "alpha"/],
    [['remove', 'nobody', '--box'], 1, /has no box named "nobody"/],
    [['open', '--box', 'a', '--client', 'b'], 2, /a window is for one/],
    [['join', '127.0.0.1:1/box/b', '0000-0000', program], 1, /pair\.ts is a file: keys and certificate go into a folder/],
    [['client', 'bob', '--out', join(program, 'bob')], 1, /pair\.ts is a file: keys and certificate go into a folder/],
    [['open', '--box', 'B!'], 2, /lower-case letters/],
    [['client'], 2, /NAME is missing/],
  ];
  for (const [words, status, sentence] of cases) {
    const result = await pair(...words);
    assert.equal(result.status, status, words.join(' '));
    assert.match(result.complaint, sentence);
    assert.doesNotMatch(result.complaint, /fault of the program|\n\s+at /);
  }
  const nowhere = await run(process.execPath, [program, 'list', '--state', join(bench.state, 'nowhere')]);
  assert.match(nowhere.complaint, /there is no device in .*npm start/);
  const nonsense: [string[], RegExp][] = [
    [['hello', 'ABCD-EFGH'], /an address is mqtts:/],
    [['mqtts://127.0.0.1:1/box/b', 'ABCD'], /a code has eight characters/],
    [['mqtts://127.0.0.1:1/box/b', '0000-0001'], /costs no attempt/],
    [['mqtts://127.0.0.1:1/box/b', '0000-0000', '--address', 'http://x'], /it must be mqtts:\/\/host:port/],
  ];
  for (const [words, sentence] of nonsense) {
    const result = await run(process.execPath, [program, 'join', ...words]);
    assert.equal(result.status, 2, words.join(' '));
    assert.match(result.complaint, sentence);
  }
});

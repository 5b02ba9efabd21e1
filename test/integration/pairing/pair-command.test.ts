/** `npm run pair` as a person uses it: a process of its own beside the firmware. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPairingBench, type PairingBench } from './pairing-bench.ts';

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

test('an invitation is carried by file or input, and used on the other side', async () => {
  const invited = await pair('invite', 'box', 'box1');
  assert.equal(invited.status, 0, invited.complaint);
  assert.match(invited.complaint, /valid once until/);
  const out = join(bench.state, 'elsewhere');
  const joined = await run(process.execPath, [program, 'join', '--out', out], invited.output);
  assert.equal(joined.status, 0, joined.complaint);
  assert.ok(
    ['key.pem', 'signing-key.pem', 'certificate.pem', 'ca.pem', 'connection.json', 'network.cbor'].every((file) =>
      existsSync(join(out, file)),
    ),
  );
  const listed = await pair('list');
  assert.match(listed.output, /box +box1 +paired/);
  const removed = await pair('remove', 'box', 'box1');
  assert.equal(removed.status, 0, removed.complaint);
  assert.doesNotMatch((await pair('list')).output, /box1/);
});

test('what goes wrong is said in a sentence that says what would be right', async () => {
  const cases: [string[], number, RegExp][] = [
    [['client', 'Alice!'], 2, /lower-case letters/],
    [['client', 'device'], 2, /reserved/],
    [['client', 'bob', '--device', 'alpah'], 1, /did you mean "alpha"/],
    [['remove', 'box', 'nobody'], 1, /has no box named "nobody"/],
    [['invite', 'robot', 'r2'], 2, /neither client nor box/],
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
  const nonsense = await run(process.execPath, [program, 'join', '--state', bench.state], 'hello');
  assert.match(nonsense.complaint, /no invitation/);
});

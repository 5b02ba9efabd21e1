/** The main job from a client's side, through every real part: TPMs, brokers, agents, sandboxes. Specification §7, §9. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { pasteLines } from '../../scripts/pair/paste-lines.ts';
import { clientFolder, openWorld, ran, type World } from './world.ts';

let world: World;
before(async () => {
  world = await openWorld();
});
after(() => world.stop());

test('the sample capsule becomes a picture and a receipt that verifies and is final (§9)', async () => {
  const sample = fileURLToPath(new URL('../../scripts/sample/capsule.yaml', import.meta.url));
  const submitted = await world.run('capsule', 'submit', sample);
  assert.equal(submitted.status, 0, submitted.stdout + submitted.stderr);
  assert.match(submitted.stdout, /agreed: the program ended with exit status 0/);
  assert.match(submitted.stdout, /SOFTWARE TPM/);
  assert.match(
    submitted.stdout,
    /On the chain: final: block \d+ holds the receipt's digest, checkpoint \d+.*, voted by [a-z, ]+ \([34] of 4 seats\)/,
  );
  const id = idIn(submitted.stdout);
  const picture = readFileSync(join(world.grid.layout.capsule(id), 'outputs', 'picture.png'));
  assert.equal(picture.subarray(1, 4).toString(), 'PNG');
  const verified = await world.run('capsule', 'verify', id, '--final');
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
});

test('the chain command shows head, blocks and members of the network, and refuses with advice (§14.5)', async () => {
  const head = await world.run('chain', 'head');
  assert.equal(head.status, 0, head.stdout + head.stderr);
  assert.match(head.stdout, /chain at alpha +finalising\n/);
  const { stdout } = await world.run('chain', 'block', 'final', '--json');
  const { block, standing } = JSON.parse(stdout) as { block: { height: number }; standing: string };
  assert.equal(standing, 'final');
  const shown = await world.run('chain', 'block', String(block.height));
  assert.match(shown.stdout, /standing +final: checkpoint \d+ .* by votes of (\w+, ){2,3}\w+\n/);
  const peers = await world.run('chain', 'peers');
  const { devices } = world.grid;
  for (const { name, supervisor } of devices) assert.match(peers.stdout, new RegExp(`  ${name} +yes .* ${String(supervisor.processId)}\n`));
  const beyond = await world.run('chain', 'block', '999999');
  assert.deepEqual([beyond.status, beyond.stdout], [1, '']);
  assert.match(beyond.stderr, /there is no block of height 999999 here; the head is at \d+/);
  assert.equal((await world.run('chain', 'block', 'newest')).status, 2);
});

for (const [runtime, entry, code] of [
  ['python', 'main.py', 'import os, sys\nopen(os.environ["CAPSTAN_OUT"] + "/answer", "w").write(str(6 * 7) + sys.argv[1])\n'],
  ['node', 'main.js', 'require("node:fs").writeFileSync(process.env.CAPSTAN_OUT + "/answer", String(6 * 7) + process.argv[2]);\n'],
  ['shell', 'main.sh', 'printf "%s%s" $((6 * 7)) "$1" > "$CAPSTAN_OUT/answer"\n'],
] as const) {
  test(`a capsule in ${runtime} runs on its box (§7.1)`, async () => {
    const folder = capsuleFolder(runtime, { 'capsule.yaml': manifestOf(runtime, entry), [entry]: code });
    assert.equal(await answerOf(folder), '42!');
  });
}

test('a capsule in C, compiled beforehand, runs on its box (§7.1)', async () => {
  const source =
    '#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { char p[256]; snprintf(p, 256, "%s/answer", getenv("CAPSTAN_OUT")); FILE *f = fopen(p, "w"); fprintf(f, "%d%s", 6 * 7, v[1]); return fclose(f); }\n';
  const folder = capsuleFolder('compiled', { 'capsule.yaml': manifestOf('executable', 'main'), 'main.c': source });
  execFileSync('gcc', ['-O1', '-o', join(folder, 'main'), join(folder, 'main.c')]);
  assert.equal(await answerOf(folder), '42!');
});

test('files of megabytes travel both ways in pieces, checked by hash (§8)', async () => {
  const input = randomBytes(3_000_001);
  const folder = capsuleFolder('large', {
    'capsule.yaml': manifestOf('shell', 'main.sh', ['input.bin']),
    'main.sh': 'cat input.bin input.bin > "$CAPSTAN_OUT/answer"\n',
  });
  writeFileSync(join(folder, 'input.bin'), input);
  const submitted = await world.run('capsule', 'submit', folder);
  assert.equal(submitted.status, 0, submitted.stdout + submitted.stderr);
  const output = readFileSync(join(world.grid.layout.capsule(idIn(submitted.stdout)), 'outputs', 'answer'));
  assert.ok(output.equals(Buffer.concat([input, input])));
});

test('a program that fails gives its exit status, its log and a receipt (§7.2)', async () => {
  const folder = capsuleFolder('failing', { 'capsule.yaml': manifestOf('shell', 'main.sh'), 'main.sh': 'echo the reason >&2; exit 3\n' });
  const submitted = await world.run('capsule', 'submit', folder);
  assert.equal(submitted.status, 1);
  assert.match(submitted.stdout, /exit status 3/);
  const id = idIn(submitted.stdout);
  assert.equal(readFileSync(join(world.grid.layout.capsule(id), 'stderr'), 'utf8'), 'the reason\n');
  const verified = await world.run('capsule', 'verify', id);
  assert.equal(verified.status, 0, 'a receipt of a failure is a good receipt');
});

test('a running capsule that is cancelled ends as cancelled, with a receipt of its run (§7.5)', async () => {
  const folder = capsuleFolder('endless', { 'capsule.yaml': manifestOf('shell', 'main.sh'), 'main.sh': 'echo begun; sleep 600\n' });
  const submitted = await world.run('capsule', 'submit', folder, '--no-wait');
  const id = idIn(submitted.stdout);
  await untilState(id, 'running');
  assert.equal((await world.run('capsule', 'cancel', id)).status, 0);
  const result = await world.run('capsule', 'result', id);
  assert.match(result.stdout, /cancelled/);
  assert.equal((await world.run('capsule', 'verify', id)).status, 0);
});

test('the lines that npm start prints work when pasted (§7.3)', async () => {
  const { submit, watch } = pasteLines(clientFolder(world));
  const listening = ran('bash', ['-c', `${watch} -C 9`], 30_000);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const published = await ran('bash', ['-c', submit]);
  assert.equal(published.status, 0, published.stderr);
  const { stdout } = await listening;
  const result = stdout.split('\n').find((line) => line.includes('"outputs"')) ?? '';
  assert.match(result, /"state":"agreed".*"greeting.txt".*"text":"hello from /);
});

test('every changed byte of a real receipt is refused, and so is a foreign network file (§9.2)', async () => {
  const folder = capsuleFolder('receipt', { 'capsule.yaml': manifestOf('shell', 'main.sh'), 'main.sh': 'exit 0\n' });
  const submitted = await world.run('capsule', 'submit', folder);
  const receipt = new Uint8Array(readFileSync(join(world.grid.layout.capsule(idIn(submitted.stdout)), 'receipt.cbor')));
  const context = { network: world.grid.network, crypto: nobleCrypto };
  assert.equal(judgeReceipt(receipt, context).status, 'verified');
  for (let at = 0; at < receipt.length; at += 97) {
    const changed = receipt.with(at, (receipt[at] ?? 0) ^ 1);
    assert.equal(judgeReceipt(changed, context).status, 'refused', `byte ${at}`);
  }
  const other = { ...world.grid.network, genesis: { ...world.grid.network.genesis, salt: new Uint8Array(16) } };
  const foreign = judgeReceipt(receipt, { ...context, network: other });
  assert.equal(foreign.status === 'refused' && foreign.reason, 'foreign-network');
});

function capsuleFolder(name: string, files: Record<string, string>): string {
  const folder = join(world.state, 'sources', name);
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  return folder;
}

function manifestOf(runtime: string, entry: string, inputs: string[] = []): string {
  return `capsule: 1\nruntime: ${runtime}\nentry: ${entry}\narguments: ["!"]\nfiles: ${JSON.stringify([entry, ...inputs])}\nlimits: { wallSeconds: 60, memoryMegabytes: 256, outputMegabytes: 16 }\n`;
}

async function answerOf(folder: string): Promise<string> {
  const submitted = await world.run('capsule', 'submit', folder);
  assert.equal(submitted.status, 0, submitted.stdout + submitted.stderr);
  return readFileSync(join(world.grid.layout.capsule(idIn(submitted.stdout)), 'outputs', 'answer'), 'utf8');
}

function idIn(words: string): string {
  return /accepted ([0-9a-f]{32})/.exec(words)?.[1] ?? assert.fail(`no capsule was accepted: ${words}`);
}

async function untilState(id: string, state: string): Promise<void> {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const { stdout } = await world.run('capsule', 'status', id);
    if (stdout.includes(state)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail(`capsule ${id} did not become ${state}`);
}

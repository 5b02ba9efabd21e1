/** `npm run capsule -- verify` and the proof beside a receipt, on what a real grid has left (test/vectors/receipt). Specification §9.4, §13.6. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';

const program = new URL('../../../scripts/capsule.ts', import.meta.url).pathname;
const vectors = new URL('../../vectors/receipt/', import.meta.url).pathname;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-finality-'));
  for (const name of ['receipt.cbor', 'finality.cbor', 'network.cbor']) copyFileSync(join(vectors, name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a receipt with its proof is shown with transaction, block, checkpoint and votes (§13.6)', async () => {
  const { status, stdout } = await verify('--final');
  assert.equal(status, 0, stdout);
  for (const words of [
    /✓ transaction +[0-9a-f]{16}/,
    /✓ block +height \d+/,
    /✓ checkpoint +\d+, height \d+/,
    /✓ votes +[34] of 4: alpha, /,
  ])
    assert.match(stdout, words);
});

test('a receipt without a proof holds, and --final is not satisfied with it (§9.4)', async () => {
  rmSync(join(folder, 'finality.cbor'));
  const plain = await verify();
  assert.equal(plain.status, 0, plain.stdout);
  assert.match(plain.stdout, /! finality +not-final: there is no proof/);
  assert.equal((await verify('--final')).status, 1);
});

test('a word of the device that the receipt stands in a block is shown as its word, and is no proof (§9.4)', async () => {
  say({ finality: 'not-final', capsule: 'f'.repeat(32), height: 12, block: new Uint8Array(32) });
  const { status, stdout } = await verify('--final');
  assert.equal(status, 1);
  assert.match(stdout, /it stands in block 12, as the device says, and no checkpoint holds it yet/);
});

test('a proof that does not hold refuses the whole, with or without --final (§9.4)', async () => {
  const news = decodeStrict(FinalityNews, readFileSync(join(folder, 'finality.cbor')), LIMITS.packetBytesMax);
  assert.ok(news.status === 'decoded' && news.value.finality === 'final');
  const { proof } = news.value;
  say({ ...news.value, proof: proof.with(proof.length - 1, (proof.at(-1) ?? 0) ^ 1) });
  for (const options of [[], ['--final']]) {
    const { status, stdout } = await verify(...options);
    assert.equal(status, 1);
    assert.match(stdout, /✗ finality/);
  }
});

test('programs get the same in JSON (§9.4)', async () => {
  const { stdout } = await verify('--json');
  const { finality } = JSON.parse(stdout) as { finality: { status: string; voters: number; votes: { name: string }[] } };
  assert.deepEqual([finality.status, finality.voters, finality.votes[0]?.name], ['final', 4, 'alpha']);
});

function say(news: FinalityNews): void {
  writeFileSync(join(folder, 'finality.cbor'), encodeStrict(FinalityNews, news));
}

function verify(...options: string[]): Promise<{ status: number; stdout: string }> {
  const line = [program, 'verify', folder, '--network', join(folder, 'network.cbor'), ...options];
  return new Promise((resolve) => {
    execFile(process.execPath, line, { env: { ...process.env, NO_COLOR: '1' } }, (error, stdout) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout });
    });
  });
}

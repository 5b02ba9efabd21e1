/** `npm run trust -- verify` as it is typed: by a network file, by an anchor, and what is refused. Specification §18.8, §20.10. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { NO_ANCHOR } from '#protocol/layer1/anchor.ts';
import { encodeNetwork } from '#protocol/network.ts';
import { founded } from '../chain/proof-workshop.ts';
import { anchoredAt, encoded, placeOf } from '../layer1/anchored.ts';
import { evidenceOf, fileOf, judged, network, others, slotWith, subject, trustWith } from '../protocol/judged-member.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const evidence = evidenceOf(subject);
const file = fileOf(trustWith({ slots: [slotWith(evidence, { verdict: judged('trusted', others.slice(0, 2)) })] }), [evidence]);
/** Of the same checkpoint, so the file's own proof says nothing that is later. */
const anchor = encoded(anchoredAt(NO_ANCHOR, placeOf(network)).file);

interface Ended {
  readonly status: number;
  readonly words: string;
}

/** In a folder with the files that somebody has handed on, and a network file. */
function verify(
  t: TestContext,
  given: { readonly trust?: Uint8Array; readonly network?: Uint8Array },
  ...options: string[]
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-trust-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.cbor');
  writeFileSync(path, given.trust ?? file);
  writeFileSync(`${path}.anchor`, anchor.bytes);
  writeFileSync(join(folder, 'network.cbor'), given.network ?? encodeNetwork(network));
  const line = ['scripts/trust.ts', 'verify', path, '--state', folder, ...options];
  return new Promise((resolve) => {
    execFile(process.execPath, line, { cwd: root }, (error, said, complained) =>
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, words: `${said}${complained}` }),
    );
  });
}

test('a file is checked by the network file alone (§18.8)', async (t) => {
  const { status, words } = await verify(t, {});
  assert.equal(status, 0, words);
  assert.match(words, new RegExp(`member +${subject.name}, node [0-9a-f]{64}`));
  assert.match(words, /holds: checked by the network file alone/);
});

test('a changed byte, and what is no such file, are refused with the reason (§18.8)', async (t) => {
  const changed = await verify(t, { trust: file.with(500, file[500]! ^ 1) });
  assert.equal(changed.status, 1);
  assert.match(changed.words, /does not hold \([a-z-]+\): /);
  const other = await verify(t, { trust: encodeNetwork(network) });
  assert.deepEqual([other.status, /is not a trust file: it is a network file/.test(other.words)], [1, true], other.words);
});

test('a network without `trust` says so (§18)', async (t) => {
  const { status, words } = await verify(t, { network: encodeNetwork(founded) });
  assert.equal(status, 1);
  assert.match(words, /do not judge one another: its genesis has no `trust`/);
});

test('a file is checked by an anchor that its reader trusts (§20.10)', async (t) => {
  const digest = anchor.digest.toHex();
  const { status, words } = await verify(t, {}, '--anchor', digest);
  assert.equal(status, 0, words);
  assert.match(words, /as of +anchor 2 on chain 31337, which is of checkpoint 5 \(height 112/);
  assert.match(words, /holds: checked by the anchor alone/);
  const wrong = await verify(
    t,
    {},
    '--anchor',
    digest.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
  );
  assert.deepEqual([wrong.status, /does not hold \(other-anchor\)/.test(wrong.words)], [1, true], wrong.words);
  const short = await verify(t, {}, '--anchor', 'abc');
  assert.deepEqual([short.status, /give 64 hexadecimal digits/.test(short.words)], [2, true], short.words);
});

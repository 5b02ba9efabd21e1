/** `npm run tpm`: what people and programs get from it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startSoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { isSigned, onlySoftware } from './tpm-under-test.ts';

const program = fileURLToPath(new URL('../../../scripts/tpm.ts', import.meta.url));

test('without a TPM to look at, the command says how to name one and fails', () => {
  const { status, stderr } = tpm('info');
  assert.equal(status, 2);
  assert.match(stderr, /--tcti device:\/dev\/tpmrm0 .* --software/);
});

test('a TPM that does not answer is named in the error', () => {
  const { status, stderr } = tpm('info', '--tcti', 'device:/nonexistent/tpm');
  assert.equal(status, 1);
  assert.match(stderr, /No TPM answers at device:\/nonexistent\/tpm/);
});

test('a quote of a software TPM is marked as one, over the registers and the nonce that were asked for', onlySoftware, () => {
  const { status, stdout, stderr } = tpm('quote', '--software', '--json', '--pcrs', '0-2,14', '--nonce', 'c0ffee');
  assert.equal(status, 0, stderr);
  const { kind, registers, matches, qualifyingData, publicArea, attest, signature } = JSON.parse(stdout) as Record<string, string>;
  assert.deepEqual(
    { kind, registers, matches, qualifyingData },
    { kind: 'software-tpm', registers: [0, 1, 2, 14], matches: true, qualifyingData: 'c0ffee' },
  );
  const bytes = (text = ''): Uint8Array => Uint8Array.fromHex(text);
  assert.ok(isSigned({ publicArea: bytes(publicArea) }, bytes(attest), bytes(signature)));
});

test('of a state folder the TPM of its first device is shown, and whose it is', onlySoftware, async () => {
  const state = mkdtempSync(join(tmpdir(), 'capstan-tpm-command-'));
  const software = await startSoftwareTpm({ folder: state });
  try {
    for (const name of ['bravo', 'alpha']) {
      mkdirSync(join(state, 'devices', name, 'tpm'), { recursive: true });
      writeFileSync(join(state, 'devices', name, 'tpm', 'tcti'), `${software.tcti}\n`);
    }
    assert.match(tpm('pcrs', '--pcrs', '0', '--state', state).stdout, new RegExp(`^ +device +alpha of ${state}$`, 'm'));
    const { device } = JSON.parse(tpm('info', '--json', '--state', state, '--device', 'bravo').stdout) as { device: string };
    assert.equal(device, 'bravo');
  } finally {
    await software.stop();
    rmSync(state, { recursive: true });
  }
});

function tpm(...args: string[]) {
  const { CAPSTAN_TCTI: _unset, ...env } = process.env;
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env });
}

/** The key that pays: sealed to the measured software, the same after a restart. With a TPM. Specification §20.8. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { addressOfKey } from '#contracts/evm.ts';
import { StateFile } from '../../../device/identity/state-file.ts';
import { openPayingKey } from '../../../device/layer1/paying-key.ts';
import { senderTerms } from '../../../device/layer1/spending.ts';
import { pcrExtend } from '../../../device/tpm/pcr.ts';
import { openTpmUnderTest, onlySoftware, provision, testHandles, unprovision } from '../tpm/tpm-under-test.ts';

const bench = await openTpmUnderTest();
const { tpm } = bench;
const folder = mkdtempSync(join(tmpdir(), 'capstan-paying-key-'));
const path = join(folder, 'paying-key');
const file = new StateFile(path, 4_096);
const parent = testHandles.storageKey;

before(async () => {
  if (!onlySoftware.skip) await provision(tpm);
});
after(async () => {
  if (!onlySoftware.skip) await unprovision(tpm);
  await bench.close();
  rmSync(folder, { recursive: true });
});

test('the key is made once, opens again under the same software, and stands on the disk sealed only (§20.8)', onlySoftware, async () => {
  const made = await openPayingKey(tpm, file, parent);
  assert.ok(made.status === 'made');
  assert.deepEqual(made.key.address, addressOfKey(made.key.secret));
  assert.deepEqual(await openPayingKey(tpm, file, parent), { status: 'opened', key: made.key });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.ok(!readFileSync(path).includes(made.key.secret));
});

test('under other software it does not open, and is kept (§20.8)', onlySoftware, async () => {
  const before = readFileSync(path);
  await pcrExtend(tpm, 14, 'sha256', new Uint8Array(32).fill(1));
  const opened = await openPayingKey(tpm, file, parent);
  assert.equal(opened.status, 'other-software');
  assert.deepEqual(readFileSync(path), before);
});

test('a file that is not ours is told and not replaced (§20.8)', onlySoftware, async () => {
  const other = join(folder, 'other');
  writeFileSync(other, 'something else');
  await assert.rejects(openPayingKey(tpm, new StateFile(other, 4_096), parent), { code: 'ERR_STATE' });
});

test('what the operator writes in gwei is kept in wei (§20.8)', () => {
  assert.deepEqual(senderTerms({ feeCapGwei: 50, dayBudgetGwei: 20_000_000 }), { feeCap: 50n * 10n ** 9n, dayBudget: 2n * 10n ** 16n });
});

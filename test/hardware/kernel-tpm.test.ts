/** The TPM bindings on the kernel's own device, behind its resource manager. Specification §3.1. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readClock } from '../../device/tpm/clock.ts';
import { pcrExtend, pcrRead } from '../../device/tpm/pcr.ts';
import { openTpm } from '../../device/tpm/tpm.ts';

const tpm = await openTpm('device:/dev/tpmrm0');
after(() => tpm.close());

test('a register is extended and read, and the clock goes on, by /dev/tpmrm0 (§3.3)', async () => {
  const before = (await pcrRead(tpm, 'sha256', [14])).get(14);
  await pcrExtend(tpm, 14, 'sha256', new Uint8Array(32).fill(7));
  const after = (await pcrRead(tpm, 'sha256', [14])).get(14);
  assert.equal(before?.length, 32);
  assert.notDeepEqual(after, before);
  const first = await readClock(tpm);
  assert.ok((await readClock(tpm)).time >= first.time);
});

/** What the hierarchies of the chip allow: TPM2_Clear can be switched off and on, a lockout can be lifted (TPM 2.0 Part 3 §24, §25). */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { hasTpmCode } from '../../../device/tpm/error.ts';
import { clearTpm, resetLockout, setClearDisabled } from '../../../device/tpm/hierarchy.ts';
import { onlySoftware, openTpmUnderTest } from './tpm-under-test.ts';

const bench = await openTpmUnderTest();
after(() => bench.close());

test('TPM2_Clear is refused while it is switched off, and done when it is on again', onlySoftware, async () => {
  await setClearDisabled(bench.tpm, true);
  await assert.rejects(clearTpm(bench.tpm, 'lockout'), (error) => hasTpmCode(error, 'disabled'));
  await setClearDisabled(bench.tpm, false);
  await clearTpm(bench.tpm, 'lockout');
});

test('failed authorisations are forgotten on request', onlySoftware, async () => {
  await assert.doesNotReject(resetLockout(bench.tpm));
});

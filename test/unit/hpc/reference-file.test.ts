/** Reference values on the disk: what the operator has changed counts at the next measurement, and what is the same is not read twice (§6.5). */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freeze, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { ReferenceFiles, referencesDigest } from '../../../device/hpc/reference-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-references-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('reference values that the operator changes, with another program, count from the next reading on (§6.5)', () => {
  const [device, command] = [new ReferenceFiles(folder), new ReferenceFiles(folder)];
  const learning = newReferenceValues(new Uint8Array(32), 'listed');
  command.write('box', learning);
  const first = device.read('box') ?? assert.fail();
  assert.equal(device.read('box'), first, 'unchanged: the same, and not made anew');
  command.write('box', freeze(learning));
  const second = device.read('box') ?? assert.fail();
  assert.deepEqual([first.stage, second.stage], ['learning', 'frozen']);
  assert.notDeepEqual(referencesDigest(first), referencesDigest(second));
  assert.deepEqual(referencesDigest(second), referencesDigest(freeze(learning)));
});

/** The native addon as a module: what it exports, how it refuses, and that its types say what it does. No TPM is needed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { loadAddon, type Signature } from '../../device/addon.ts';
import { isTpmError } from '../../device/tpm/error.ts';

const addon = loadAddon();

test('the digest of the addon is that of the file that was loaded', async () => {
  assert.equal(
    addon.sha256.toHex(),
    createHash('sha256')
      .update(await readFile(addon.path))
      .digest('hex'),
  );
});

test('a TPM that is not named is not looked for', async () => {
  for (const tcti of [
    '',
    'device',
    'device:',
    'swtpm',
    'tpmrm0',
    'cmd:cat',
    '/usr/lib/libc.so.6:x',
    'device:/dev/tpmrm0\0',
    `device:${'x'.repeat(600)}`,
    undefined,
    7,
    null,
  ]) {
    await assert.rejects(
      addon.open(tcti as string),
      (error) => isTpmError(error) && error.layer === 'addon' && /nothing is guessed/.test(error.message),
    );
  }
});

test('an error carries command, response code, layer and text', async () => {
  await assert.rejects(addon.open('device:/nonexistent/tpm'), (error) => {
    assert.ok(isTpmError(error));
    assert.deepEqual([error.code, error.command, error.layer, error.rc, error.contextLost], ['ERR_TPM', 'open', 'tcti', 0x000a000a, false]);
    assert.match(error.message, /^open: No TPM answers at device:\/nonexistent\/tpm: /);
    return true;
  });
});

test('types of the binding have every method of the addon, with as many arguments and results', async () => {
  const declared = declarationsIn(await readFile(new URL('../../device/tpm/esys.ts', import.meta.url), 'utf8'));
  const exported = new Map(addon.signatures.map((signature) => [signature.name, shapeOf(signature)]));
  assert.deepEqual(Object.fromEntries(declared), Object.fromEntries(exported));
});

test('what could load crafted state into libtss2 is not bound', () => {
  const names = addon.signatures.map(({ name }) => name);
  for (const name of ['TR_Deserialize', 'TR_Serialize', 'ContextLoad', 'ContextSave', 'FieldUpgradeStart'])
    assert.ok(!names.includes(name), name);
});

function shapeOf({ inputs, outputs }: Signature): string {
  return `${inputs.length} in, ${outputs.length} out`;
}

/** Counts the arguments and results of each method in the text of esys.ts. */
function declarationsIn(text: string): Map<string, string> {
  const body = text.slice(text.indexOf('export interface Esys'));
  const methods = [...body.matchAll(/^ {2}([A-Z]\w+)\(([\s\S]*?)\): Promise<([\s\S]*?)>;$/gm)];
  return new Map(
    methods.map(([, name = '', parameters = '', result = '']) => [name, `${countArguments(parameters)} in, ${countResults(result)} out`]),
  );
}

function countArguments(parameters: string): number {
  const sessions = /\.\.\.sessions: /.test(parameters) ? 3 : 0;
  const named =
    parameters
      .replace(/\.\.\.sessions: (Sessions|\[[^\]]*\])/, '')
      .replace('...call:', '')
      .match(/\w+: /g) ?? [];
  return named.length + sessions;
}

function countResults(result: string): number {
  if (result === 'void') return 0;
  return result.trim().startsWith('[') ? (result.match(/\w+: /g) ?? []).length : 1;
}

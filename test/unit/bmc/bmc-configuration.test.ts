/** `control` in configuration.json: which box hangs on which BMC. Specification §16.5. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { trustOf } from '../../../device/bmc/bmc-configuration.ts';
import { readConfiguration, type DeviceConfiguration } from '../../../device/configuration.ts';

const ipmi = { box: 'rack-1', by: 'ipmi', host: '10.0.0.7', user: 'operator', passwordFile: 'bmc-password' };
const redfish = { box: 'rack-2', by: 'redfish', url: 'https://bmc.example:8443', user: 'operator', passwordFile: '/etc/bmc' };
const print = Array.from({ length: 32 }, () => 'Ab').join(':');

function reading(context: TestContext): (control: readonly object[]) => DeviceConfiguration {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-configuration-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return (control) => {
    const whole = { name: 'one', tcti: 'device:/dev/tpmrm0', board: 'simulated', hosts: ['localhost'], control };
    writeFileSync(join(folder, 'configuration.json'), JSON.stringify(whole));
    return readConfiguration(folder);
  };
}

test('a box hangs on the wires of the board or on its BMC, by an entry of its own (§16.5)', (context) => {
  const read = reading(context);
  const control = [
    { box: 'desk', by: 'board' },
    { ...ipmi, cipherSuite: 3, port: 6230 },
    { ...redfish, fingerprint: print },
  ];
  const [, , third] = read(control).control ?? [];
  assert.ok(third?.by === 'redfish');
  assert.deepEqual(trustOf(third), { fingerprint: 'ab'.repeat(32) });
});

test('an entry that is wrong is named with its key and what would be right; no certificate goes unchecked (§16.5)', (context) => {
  const read = reading(context);
  const authority = 'site.pem';
  for (const [control, expected] of [
    [[{ ...ipmi, cipherSuite: 0 }], /control\[0\]\.cipherSuite/],
    [[{ ...ipmi, user: '-P secret' }], /control\[0\]\.user .*a user name without spaces/],
    [[{ ...ipmi, host: '-v' }], /control\[0\]\.host/],
    [[{ ...ipmi, password: 'x' }], /password/],
    [[ipmi, { ...redfish, box: 'rack-1', authority }], /control\[1\]\.box is "rack-1" again/],
    [[redfish], /control\[0\] must have one of authority and fingerprint/],
    [[{ ...redfish, authority, fingerprint: print }], /must have one of authority and fingerprint/],
    [[{ ...redfish, authority, url: 'http://bmc' }], /control\[0\]\.url .*https:\/\/HOST/],
    [[{ box: 'x', by: 'hand' }], /control\[0\]\.by .*board, ipmi, redfish/],
  ] as const)
    assert.throws(() => read(control), expected);
});

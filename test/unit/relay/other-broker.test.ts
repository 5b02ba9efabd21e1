/** What is said of a broker in between, in a device's configuration and by its files: taken, or refused in a sentence. Specification §5.7. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readConfiguration } from '../../../device/configuration.ts';
import { otherAddress, OtherBrokerUnknown } from '../../../device/relay/other-broker.ts';
import { otherAddress as ofBox } from '../../../hpc-agent/other-broker.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-other-broker-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const url = 'mqtts://broker.site:8883';
const fingerprint = 'AB:'.repeat(31) + 'CD';
const pem = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n';

function configured(relay: object): string {
  const device = { name: 'alpha', tcti: 'none', board: 'simulated', hosts: ['127.0.0.1'], relay };
  writeFileSync(join(folder, 'configuration.json'), JSON.stringify(device));
  try {
    return readConfiguration(folder).relay?.url ?? 'none';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test('a relay in the configuration is taken whole or refused with file, key and what would be right (§5.7)', () => {
  assert.equal(configured({ url, fingerprint }), url);
  assert.equal(configured({ url, authority: 'site.pem', user: 'alpha', passwordFile: 'site.password', name: 'alpha-north' }), url);
  for (const [relay, words] of [
    [{ url }, /configuration\.json: relay: .*one of "authority" and "fingerprint"/],
    [{ url, fingerprint, authority: 'site.pem' }, /one of "authority" and "fingerprint"/],
    [{ url: 'mqtt://broker.site:1883', fingerprint }, /relay\.url.*mqtts:\/\/host:port/],
    [{ url: 'mqtts://broker.site:0', fingerprint }, /mqtts:\/\/host:port/],
    [{ url, fingerprint: 'abc' }, /relay\.fingerprint/],
    [{ url, fingerprint, passwordFile: 'p' }, /"user"/],
    [{ url, fingerprint, certificate: 'c.pem' }, /"certificate" and "key" come together/],
    [{ url, fingerprint, name: 'Alpha' }, /relay\.name/],
    [{ url, fingerprint, password: 'secret' }, /password/],
  ] as const)
    assert.match(configured(relay), words);
});

test('files of the broker in between are read at both ends: a password that others can read is refused, and never repeated (§5.7)', async () => {
  writeFileSync(join(folder, 'site.pem'), pem);
  writeFileSync(join(folder, 'site.password'), 'a long secret\nmore\n', { mode: 0o600 });
  writeFileSync(join(folder, 'open.password'), 'a long secret\n', { mode: 0o644 });
  writeFileSync(join(folder, 'empty.password'), '\n', { mode: 0o600 });
  const entry = { url, authority: 'site.pem', user: 'alpha', passwordFile: 'site.password' };
  const address = { url, trust: { authority: pem }, user: 'alpha', password: 'a long secret' };
  assert.deepEqual(otherAddress(entry, folder), address);
  assert.deepEqual(await ofBox(entry, folder), address);
  assert.deepEqual(otherAddress({ url, fingerprint }, folder), { url, trust: { fingerprint: 'ab'.repeat(31) + 'cd' } });
  for (const [change, words] of [
    [{ passwordFile: 'open.password' }, /others may read .*chmod 600/],
    [{ passwordFile: 'empty.password' }, /first line/],
    [{ passwordFile: 'nothing' }, /nothing/],
    [{ authority: 'site.password' }, /PEM/],
    [{ authority: 'nothing.pem' }, /nothing\.pem/],
  ] as const) {
    const isRefusal = (error: unknown): boolean =>
      error instanceof Error && words.test(error.message) && !error.message.includes('a long secret') && 'code' in error;
    assert.throws(
      () => otherAddress({ ...entry, ...change }, folder),
      (error) => error instanceof OtherBrokerUnknown && isRefusal(error),
    );
    await assert.rejects(ofBox({ ...entry, ...change }, folder), isRefusal);
  }
});

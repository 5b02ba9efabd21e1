/** Evidence of chips for the chain over restarts, reboots, updates and copies, as one judge finds it after what it found before. Specification §18.4. */
import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import type { BootKey } from '#protocol/chain/boot-key.ts';
import { blobDigest } from '#protocol/digest.ts';
import { judgeMemberEvidence } from '#protocol/member-evidence.ts';
import { memberOf, networkId, type Member, type Reference } from '#protocol/network.ts';
import type { Identity } from '../../../device/identity/identity.ts';
import type { Measurements } from '../../../device/identity/measurement.ts';
import { pcrExtend } from '../../../device/tpm/pcr.ts';
import { startSoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { crypto, measurements, openDevice, startBench, type Bench, type Device } from './bench.ts';

let bench: Bench;
before(async () => {
  bench = await startBench();
});
after(() => bench.stop());

const checkpoint = { number: 7, block: blobDigest(Uint8Array.of(7)) };
const next: Measurements = { ...measurements, firmware: blobDigest(Uint8Array.of(8)) };

/** What the chain remembers of alpha's chip. */
let remembered: BootKey | undefined;

/** The word on alpha's evidence as it is now, which the chain remembers if it is good. */
async function said(identity: Identity, references: readonly Reference[] = bench.network.references): Promise<string> {
  const encoded = await identity.makeMemberEvidence(networkId(bench.network), checkpoint);
  const verdict = judgeMemberEvidence(encoded, {
    ...{ crypto, network: networkId(bench.network), member: alphaEntry(), references, atMs: 1_000_000, checkpointAtMoment: 7 },
    checkpointBlock: (number) => (number === checkpoint.number ? checkpoint.block : undefined),
    boot: remembered,
  });
  if (verdict.word === 'trusted') remembered = verdict.boot;
  return 'reason' in verdict ? `${verdict.word}: ${verdict.reason}` : verdict.word;
}

function alphaEntry(): Member {
  return memberOf(bench.network, bench.devices[0].identity.node) ?? assert.fail();
}

async function restarted(device: Device, shown: Measurements = measurements): Promise<Identity> {
  await device.identity.close();
  device.identity = await openDevice(device.tpm, device.folder, shown);
  return device.identity;
}

/** Its power is cut and comes back, and the firmware measures itself. */
async function rebooted(device: Device, shown: Measurements = measurements): Promise<Identity> {
  await device.identity.close();
  await device.tpm.kill();
  device.tpm = await startSoftwareTpm({ folder: join(device.folder, 'tpm'), authorityFolder: join(bench.folder, 'authority') });
  device.identity = await openDevice(device.tpm, device.folder, shown);
  return device.identity;
}

test('a restart of the program and a reboot are no compromise (§18.4)', async () => {
  const [alpha] = bench.devices;
  assert.equal(await said(alpha.identity), 'trusted');
  const first = remembered;
  assert.equal(await said(await restarted(alpha)), 'trusted');
  assert.deepEqual(remembered, first, 'one boot, and one operational key');
  assert.equal(await said(await rebooted(alpha)), 'trusted');
  assert.ok(first && remembered && remembered.resetCount > first.resetCount);
  assert.notDeepEqual(remembered.key, first.key);
});

test('an update to a release that is listed and in its window fails nobody, another does (§4.4, §18.4)', async () => {
  const [alpha] = bench.devices;
  const updated = await rebooted(alpha, next);
  const release = (window: Partial<Reference> = {}): Reference[] => [
    ...bench.network.references,
    { kind: 'firmware', digest: next.firmware, label: 'next', ...window },
  ];
  assert.equal(await said(updated), 'untrusted: measurement-unknown');
  assert.equal(await said(updated, release({ validFrom: 1_001 })), 'untrusted: release-not-begun');
  assert.equal(await said(updated, release({ validUntil: 1_000 })), 'untrusted: release-over');
  assert.equal(await said(updated, release({ validFrom: 1_000, validUntil: 1_001 })), 'trusted');
  assert.equal(await said(await rebooted(alpha)), 'trusted', 'and back to the earlier one, while it is good');
});

test('a register that somebody extends beside the firmware is untrusted until the next boot (§18.4)', async () => {
  const [alpha] = bench.devices;
  await alpha.identity.ask((tpm) => pcrExtend(tpm, 14, 'sha256', blobDigest(Uint8Array.of(9))));
  assert.equal(await said(alpha.identity), 'untrusted: quote-other-pcr-values');
  assert.equal(await said(await rebooted(alpha)), 'trusted');
});

test('evidence by another chip says nothing about the member (§18.4)', async () => {
  assert.equal(await said(bench.devices[1].identity), 'none: quote-signature-wrong');
});

test("a copy of a TPM's state is found as soon as both have shown evidence: nobody can say which is honest (§3.7, §18.4)", async () => {
  const [alpha] = bench.devices;
  assert.equal(await said(alpha.identity), 'trusted');
  const folder = join(bench.folder, 'copy');
  for (const part of [join('tpm', 'state'), 'state']) await cp(join(alpha.folder, part), join(folder, part), { recursive: true });
  const tpm = await startSoftwareTpm({ folder: join(folder, 'tpm'), authorityFolder: join(bench.folder, 'authority') });
  const copy = await openDevice(tpm, folder);
  try {
    assert.equal(await said(copy), 'trusted', 'alone it looks like a reboot');
    assert.equal(await said(alpha.identity), 'disputed: reset-count-went-back');
    assert.equal(await said(await rebooted(alpha)), 'disputed: second-operational-key');
  } finally {
    await copy.close();
    await tpm.kill();
  }
});

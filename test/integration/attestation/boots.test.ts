/** Attacks over resets of the TPM: what was not measured, rewound counters, copies. Specification §3.3, §3.6, §3.7. */
import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { judgeContinuity, type ContinuityVerdict } from '#protocol/continuity.ts';
import { blobDigest } from '#protocol/digest.ts';
import type { DeviceEvidence, TrustedEvidence } from '#protocol/evidence.ts';
import { eventExtension, operationalKeyCap, operationalKeyExtension, zeroRegister, type MeasuredEvent } from '#protocol/measured-boot.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { connectTpm } from '../../../device/identity/connect.ts';
import { openIdentity, type Identity } from '../../../device/identity/identity.ts';
import { readRegisters } from '../../../device/identity/measurement.ts';
import { getTime, quote, type Attestation } from '../../../device/tpm/attestation.ts';
import { clearTpm } from '../../../device/tpm/hierarchy.ts';
import { hierarchies } from '../../../device/tpm/handle.ts';
import { keyHandles } from '../../../device/tpm/keys.ts';
import { pcrExtend } from '../../../device/tpm/pcr.ts';
import { emptyPassword } from '../../../device/tpm/session.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import type { Tpm } from '../../../device/tpm/tpm.ts';
import { credentialBy, crypto, measurements, openDevice, startBench, type Bench, type Device } from './bench.ts';
import { evidenceOf, judged, outcome, type Evidence } from './forger.ts';

let bench: Bench;
let credentials: Uint8Array[];
before(async () => {
  bench = await startBench();
  const [alpha, bravo, charlie] = bench.devices;
  credentials = [
    await credentialBy(bravo.identity, alpha.identity, bench.network),
    await credentialBy(charlie.identity, alpha.identity, bench.network),
  ];
});
after(() => bench.stop());

const known: MeasuredEvent[] = [
  { kind: 'firmware', digest: measurements.firmware },
  { kind: 'addon', digest: measurements.addon },
  { kind: 'board', digest: measurements.board },
];

/** Cuts alpha's power and gives it back; nothing is measured yet. */
async function powerCycle(device: Device): Promise<void> {
  await device.identity.close();
  await device.tpm.kill();
  device.tpm = await startSoftwareTpm({ folder: join(device.folder, 'tpm'), authorityFolder: join(bench.folder, 'authority') });
}

async function reboot(device: Device): Promise<Identity> {
  await powerCycle(device);
  device.identity = await openDevice(device.tpm, device.folder);
  return device.identity;
}

async function evidenceNow(identity: Identity): Promise<Evidence> {
  return evidenceOf(identity, bench.devices[1].identity, bench.network, credentials);
}

async function trustedNow(identity: Identity): Promise<TrustedEvidence> {
  const verdict = judged(bench.network, await evidenceNow(identity));
  assert.ok(verdict.status === 'trusted', JSON.stringify(verdict));
  return verdict;
}

/** Evidence of alpha by a program that measures what it likes. */
async function forged(
  extensions: { pcr8: readonly Uint8Array[]; pcr14: readonly Uint8Array[] },
  shown: Partial<DeviceEvidence>,
): Promise<string> {
  const [alpha] = bench.devices;
  const honest = await evidenceNow(alpha.identity);
  await powerCycle(alpha);
  const tpm = await connectTpm(alpha.tpm.tcti);
  try {
    for (const digest of extensions.pcr14) await pcrExtend(tpm, 14, 'sha256', digest);
    for (const digest of extensions.pcr8) await pcrExtend(tpm, 8, 'sha256', digest);
    return outcome(judged(bench.network, honest, { ...(await attested(tpm, honest)), pcrs: await readRegisters(tpm), ...shown }));
  } finally {
    await tpm.close();
    await reboot(alpha);
  }
}

async function attested(tpm: Tpm, { qualifier, timeQualifier }: Evidence): Promise<Partial<DeviceEvidence>> {
  const signer = keyHandles.attestationKey;
  const quoted = await quote(tpm, { signer, qualifyingData: qualifier, selection: selectPcrs('sha256', [8, 14]) });
  return {
    quote: quoted.attest,
    quoteSignature: quoted.signature,
    ...timed(await getTime(tpm, { signer, qualifyingData: timeQualifier })),
  };
}

function timed({ attest, signature }: Attestation): Partial<DeviceEvidence> {
  return { time: attest, timeSignature: signature };
}

test('registers that are zero, because nothing was measured, are refused (§3.3)', async () => {
  const reason = await forged({ pcr8: [], pcr14: [] }, { pcrs: { pcr8: zeroRegister, pcr14: zeroRegister }, eventLog: [] });
  assert.equal(reason, 'quote-pcr-not-extended');
});

test('an operational key without the cap is refused: another could follow (§3.3)', async () => {
  const [alpha] = bench.devices;
  const key = operationalKeyExtension(alpha.identity.operationalKey);
  assert.equal(await forged({ pcr8: [key], pcr14: known.map(eventExtension) }, {}), 'operational-key-not-capped');
});

test('an operational key that PCR 8 does not hold is refused: it may live elsewhere (§3.3)', async () => {
  const other = operationalKeyExtension(blobDigest(Uint8Array.of(9)));
  assert.equal(await forged({ pcr8: [other, operationalKeyCap], pcr14: known.map(eventExtension) }, {}), 'operational-key-differs');
});

test('two operational keys in one boot are refused (§3.3)', async () => {
  const [alpha] = bench.devices;
  const [first, second] = [blobDigest(Uint8Array.of(9)), alpha.identity.operationalKey].map(operationalKeyExtension);
  assert.ok(first && second);
  assert.equal(
    await forged({ pcr8: [first, operationalKeyCap, second, operationalKeyCap], pcr14: known.map(eventExtension) }, {}),
    'operational-key-differs',
  );
});

for (const [what, eventLog, reason] of [
  ['unknown firmware', [{ kind: 'firmware', digest: blobDigest(Uint8Array.of(7)) }, ...known.slice(1)], 'measurement-unknown'],
  ['a missing measurement', known.slice(1), 'measurement-missing'],
  ['firmware measured twice', [...known, ...known.slice(0, 1)], 'measurement-repeated'],
  [
    'the known firmware after an unknown one',
    [{ kind: 'firmware', digest: blobDigest(Uint8Array.of(7)) }, ...known],
    'measurement-repeated',
  ],
  ['firmware with the digest of a board', [{ kind: 'firmware', digest: measurements.board }, ...known.slice(1)], 'measurement-unknown'],
] as const satisfies readonly (readonly [string, readonly MeasuredEvent[], string])[]) {
  test(`${what} is refused (§3.3)`, async () => {
    const pcr8 = [operationalKeyExtension(bench.devices[0].identity.operationalKey), operationalKeyCap];
    assert.equal(await forged({ pcr8, pcr14: eventLog.map(eventExtension) }, { eventLog: [...eventLog] }), reason);
  });
}

test('a quote of one boot and time of another are refused (§3.6)', async () => {
  const [alpha] = bench.devices;
  const before = await evidenceNow(alpha.identity);
  const identity = await reboot(alpha);
  const time = await identity.ask((tpm) => getTime(tpm, { signer: keyHandles.attestationKey, qualifyingData: before.timeQualifier }));
  assert.equal(outcome(judged(bench.network, before, timed(time))), 'boots-differ');
});

test('Clock set forward by its owner changes nothing that is decided: Time is what counts (§3.7)', async () => {
  const { identity } = bench.devices[0];
  const before = await trustedNow(identity);
  await identity.ask((tpm) =>
    tpm.exclusive(({ esys }) => esys.ClockSet(hierarchies.owner, ...emptyPassword, BigInt(before.clock.clockMs + 3_600_000))),
  );
  const after = await trustedNow(identity);
  assert.ok(after.clock.clockMs - before.clock.clockMs >= 3_600_000);
  assert.ok(after.clock.timeMs - before.clock.timeMs < 60_000);
  assert.equal(judgeContinuity(begun(before), after.clock).status, 'continuous');
});

test('a reset with a higher count and a new operational key is explained; the count before it is quarantined (§3.7)', async () => {
  const [alpha] = bench.devices;
  const before = await trustedNow(alpha.identity);
  const after = await trustedNow(await reboot(alpha));
  const verdict = judgeContinuity(begun(before), after.clock);
  assert.ok(verdict.status === 'continuous' && verdict.change === 'explained-reset');
  assert.deepEqual(
    outcomeOf(judgeContinuity(verdict.memory, before.clock)),
    'superseded',
    'late evidence of the earlier boot is no attack',
  );
  const lowered = { ...before.clock, beaconIssuedAtMs: after.clock.seenAtMs + 60_000 };
  assert.deepEqual(outcomeOf(judgeContinuity(verdict.memory, lowered)), 'reset-count-went-back');
});

test('of a TPM’s state and its copy neither is believed, even when the copy moves its Clock forward (§3.7)', async () => {
  const [alpha] = bench.devices;
  const original = await trustedNow(alpha.identity);
  const copied = join(bench.folder, 'copy');
  await cp(join(alpha.folder, 'tpm', 'state'), join(copied, 'tpm', 'state'), { recursive: true });
  await cp(join(alpha.folder, 'state'), join(copied, 'state'), { recursive: true });
  const tpm: SoftwareTpm = await startSoftwareTpm({ folder: join(copied, 'tpm'), authorityFolder: join(bench.folder, 'authority') });
  const copy = await openIdentity({ tcti: tpm.tcti, folder: join(copied, 'state'), measurements, crypto });
  try {
    await copy.ask((chip) =>
      chip.exclusive(({ esys }) => esys.ClockSet(hierarchies.owner, ...emptyPassword, BigInt(original.clock.clockMs + 7_200_000))),
    );
    const second = await trustedNow(copy);
    const seen = judgeContinuity(begun(original), second.clock);
    assert.ok(seen.status === 'continuous', 'a copy alone looks like a reset');
    const third = await trustedNow(alpha.identity);
    const later = { ...third.clock, beaconIssuedAtMs: second.clock.seenAtMs + 120_000 };
    assert.equal(outcomeOf(judgeContinuity(seen.memory, later)), 'reset-count-went-back', 'the original still attests');
    const rebooted = await trustedNow(await reboot(alpha));
    assert.equal(outcomeOf(judgeContinuity(seen.memory, rebooted.clock)), 'second-operational-key', 'and after a reset of its own');
  } finally {
    await copy.close();
    await tpm.kill();
  }
});

test('after TPM2_Clear, which rewinds the counters, the attestation key is gone and the device refuses to start (§3.1)', async () => {
  const [, , charlie] = bench.devices;
  await charlie.identity.ask((tpm) => clearTpm(tpm, 'lockout'));
  await charlie.identity.close();
  await assert.rejects(openDevice(charlie.tpm, charlie.folder), { code: 'ERR_TPM_KEYS_LOST' });
});

function begun(trusted: TrustedEvidence): { latest: TrustedEvidence['clock']; bootSeenAtMs: number } {
  return { latest: trusted.clock, bootSeenAtMs: trusted.clock.seenAtMs };
}

function outcomeOf(verdict: ContinuityVerdict): string {
  return verdict.status === 'quarantined' ? verdict.reason : verdict.status;
}

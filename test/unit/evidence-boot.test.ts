/** Measured boot: what is extended, what a restart makes of it, and how it is replayed. Specification §3.3. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { domainDigest } from '#protocol/digest.ts';
import {
  eventExtension,
  expectedRegisters,
  extendRegister,
  judgeMeasuredBoot,
  operationalKeyCap,
  operationalKeyExtension,
  zeroRegister,
  type MeasuredEvent,
  type Registers,
} from '#protocol/measured-boot.ts';
import type { Reference } from '#protocol/network.ts';
import { decideBoot, extensionsOf, type BootRecord } from '../../device/identity/boot-record.ts';
import { fileDigest, firmwareDigest } from '../../device/identity/firmware-digest.ts';
import { StateFile } from '../../device/identity/state-file.ts';

const digest = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const operationalKey = digest(9);
const eventLog: MeasuredEvent[] = [
  { kind: 'firmware', digest: digest(1) },
  { kind: 'addon', digest: digest(2) },
  { kind: 'board', digest: digest(3) },
];
const references: Reference[] = eventLog.map((event) => ({ ...event, label: `known ${event.kind}` }));
const registers = expectedRegisters(eventLog, operationalKey);
const wrapped = { privateArea: Uint8Array.of(1), publicArea: Uint8Array.of(2) };
const record: BootRecord = { resetCount: 4, eventLog, operationalKey, sealed: wrapped };

test('registers are folds of SHA-256, as a TPM extends them (§3.3)', () => {
  const sha256 = (...parts: Uint8Array[]) => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
  const framed = (prefix: string, ...parts: Uint8Array[]) => {
    const length = (part: Uint8Array) => Uint8Array.of(0, 0, 0, part.length);
    return sha256(Buffer.from(`capstan/1/${prefix}\0`), ...parts.flatMap((part) => [length(part), part]));
  };
  const pcr14 = eventLog.reduce(
    (pcr, event) => sha256(pcr, framed('measured-event', Buffer.from(event.kind), event.digest)),
    new Uint8Array(32),
  );
  const pcr8 = [operationalKey, Buffer.from('cap')].reduce<Uint8Array>(
    (pcr, part) => sha256(pcr, framed('operational-key', part)),
    new Uint8Array(32),
  );
  assert.deepEqual(registers, { pcr8, pcr14 });
});

test('exactly the known measurements and the capped operational key are accepted (§3.3)', () => {
  assert.deepEqual(judgeMeasuredBoot({ registers, eventLog, operationalKey }, references, 0), { status: 'accepted', measured: references });
});

for (const [what, shown, reason] of [
  ['a zero PCR 8', { registers: { ...registers, pcr8: zeroRegister } }, 'registers-zero'],
  ['a zero PCR 14', { registers: { ...registers, pcr14: zeroRegister } }, 'registers-zero'],
  ['another order', { eventLog: eventLog.toReversed() }, 'event-log-differs'],
  ['a cap alone', { registers: { ...registers, pcr8: extendRegister(zeroRegister, operationalKeyCap) } }, 'operational-key-differs'],
  [
    'no cap',
    { registers: { ...registers, pcr8: extendRegister(zeroRegister, operationalKeyExtension(operationalKey)) } },
    'operational-key-not-capped',
  ],
  ['another operational key', { operationalKey: digest(8) }, 'operational-key-differs'],
] as const satisfies readonly (readonly [string, Partial<Parameters<typeof judgeMeasuredBoot>[0]>, string])[]) {
  test(`${what} is refused (§3.3)`, () => {
    const verdict = judgeMeasuredBoot({ registers, eventLog, operationalKey, ...shown }, references, 0);
    assert.equal(verdict.status === 'refused' && verdict.reason, reason);
  });
}

for (const [what, windows, atS, outcome] of [
  ['from its first second on', [{ validFrom: 100 }], 100, 'accepted'],
  ['not in the second before', [{ validFrom: 100 }], 99, 'release-not-begun'],
  ['in its last second', [{ validUntil: 200 }], 199, 'accepted'],
  ['not from its end on', [{ validUntil: 200 }], 200, 'release-over'],
  ['listed twice, in the second window', [{ validUntil: 100 }, { validFrom: 200 }], 200, 'accepted'],
  ['listed twice, not between the two', [{ validUntil: 100 }, { validFrom: 200 }], 150, 'release-over'],
  ['of another kind, not at all', [{ kind: 'board' as const }], 100, 'measurement-unknown'],
] as const satisfies readonly (readonly [string, readonly Partial<Reference>[], number, string])[]) {
  test(`a release is good ${what} (§4.4)`, () => {
    const [firmware, ...others] = references;
    assert.ok(firmware);
    const listed = [...windows.map((window) => ({ ...firmware, ...window })), ...others];
    const verdict = judgeMeasuredBoot({ registers, eventLog, operationalKey }, listed, atS * 1_000 + 999);
    assert.equal(verdict.status === 'refused' ? verdict.reason : verdict.status, outcome);
  });
}

test('an extension binds the kind of what was measured (§3.3)', () => {
  const [firmware] = eventLog;
  assert.ok(firmware);
  assert.notDeepEqual(eventExtension(firmware), eventExtension({ ...firmware, kind: 'board' }));
  assert.deepEqual(eventExtension(firmware), domainDigest('measured-event', new TextEncoder().encode('firmware'), firmware.digest));
});

test('zero registers are measured anew, whatever is remembered (§3.3)', () => {
  const zero = { pcr8: zeroRegister, pcr14: zeroRegister };
  for (const remembered of [undefined, record, { ...record, resetCount: 3 }]) {
    assert.deepEqual(decideBoot(eventLog, { registers: zero, resetCount: 4, record: remembered }), { action: 'measure-anew' });
  }
});

test('a program that was killed at any point of measuring goes on with what is left (§3.3)', () => {
  const all = extensionsOf(record);
  let reached: Registers = { pcr8: zeroRegister, pcr14: zeroRegister };
  for (const [done, { pcr, digest: next }] of all.entries()) {
    reached =
      pcr === 14 ? { ...reached, pcr14: extendRegister(reached.pcr14, next) } : { ...reached, pcr8: extendRegister(reached.pcr8, next) };
    const decision = decideBoot(eventLog, { registers: reached, resetCount: 4, record });
    assert.deepEqual(decision, { action: 'continue', record, remaining: all.slice(done + 1) });
  }
  assert.deepEqual(reached, registers);
});

for (const [what, changes, detail] of [
  ['without a record', { record: undefined }, /extended by something else/],
  ['with the record of another reset', { resetCount: 5 }, /extended by something else/],
  ['with other values', { registers: { ...registers, pcr14: digest(7) } }, /does not hold what this device measured/],
  [
    'with one extension too many',
    { registers: { ...registers, pcr8: extendRegister(registers.pcr8, digest(7)) } },
    /does not hold what this device measured/,
  ],
] as const satisfies readonly (readonly [string, Partial<Parameters<typeof decideBoot>[1]>, RegExp])[]) {
  test(`extended registers ${what} are refused (§3.3)`, () => {
    const decision = decideBoot(eventLog, { registers, resetCount: 4, record, ...changes });
    assert.ok(decision.action === 'refuse');
    assert.match(decision.detail, detail);
  });
}

test('a changed addon under the same reset is refused by its name (§3.3)', () => {
  const planned = eventLog.map((event) => (event.kind === 'addon' ? { ...event, digest: digest(6) } : event));
  assert.deepEqual(decideBoot(planned, { registers, resetCount: 4, record }), {
    action: 'refuse',
    detail: 'the addon is not the one that was measured since the TPM was reset',
  });
});

test('the firmware’s digest depends on every path and every byte, and on nothing else (§3.3)', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'capstan-firmware-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), content);
  };
  await write('device/b.ts', 'b');
  await write('device/a/c.ts', 'c');
  await write('protocol/a.ts', 'a');
  await write('other/x.ts', 'x');
  const parts = ['device', 'protocol'];
  const before = await firmwareDigest(root, parts);
  await write('other/x.ts', 'changed');
  assert.deepEqual(await firmwareDigest(root, parts.toReversed()), before);
  await write('device/a/c.ts', 'd');
  assert.notDeepEqual(await firmwareDigest(root, parts), before);
  await write('device/a/c.ts', 'c');
  assert.deepEqual(await firmwareDigest(root, parts), before);
  await write('device/a/d.ts', '');
  assert.notDeepEqual(await firmwareDigest(root, parts), before);
  assert.deepEqual(await fileDigest(join(root, 'device/b.ts')), new Uint8Array(createHash('sha256').update('b').digest()));
  await assert.rejects(firmwareDigest(root, ['absent']), { code: 'ENOENT' });
  await symlink(join(root, 'other/x.ts'), join(root, 'device/link.ts'));
  await assert.rejects(firmwareDigest(root, parts), /neither a file nor a folder/, 'what a link points to would run unmeasured');
});

test('a state file is there as a whole, and one that is too long is not taken for ours', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'capstan-state-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const file = new StateFile(join(root, 'x.cbor'), 8);
  assert.equal(await file.load(), undefined);
  await Promise.all([file.save(Uint8Array.of(1)), file.save(Uint8Array.of(2)), file.save(Uint8Array.of(3))]);
  assert.deepEqual(await file.load(), Uint8Array.of(3));
  await file.save(new Uint8Array(9));
  await assert.rejects(file.load(), { code: 'ERR_STATE' });
});

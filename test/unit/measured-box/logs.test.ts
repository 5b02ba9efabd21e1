/** Boot and IMA logs of a real machine: read as another program reads them, replayed to its registers, compared with what is known. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import { departuresFrom } from '#protocol/measured-box/departures.ts';
import { decodeImaLog } from '#protocol/measured-box/ima-log.ts';
import { freeze, learn, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { partLog } from '#protocol/measured-box/log-parts.ts';
import { judgeMeasurement, judgingMeasurement, type ToJudge } from '#protocol/measured-box/measurement.ts';
import type { ReferenceValues } from '#protocol/measured-box/reference-values.ts';
import { BOOT_PCRS, replayBootLog, type BoxRegisters } from '#protocol/measured-box/registers.ts';
import { decodeBootLog } from '#protocol/measured-box/uefi-log.ts';
import { entryOf } from '../../../scripts/bench/made-logs.ts';
import { captured, crypto, first, imaEntries, second, steady, violation, withFiles, type Boot } from './boots.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => crypto.sha256(bytes);

describe('§6.5 the boot log', () => {
  test('is read as tpm2_eventlog reads it, and replays to the registers of the machine', () => {
    for (const name of ['first', 'second'] as const) {
      const log = bootLogOf(captured[name].bootLog);
      const { events, registers } = captured[name].tpm2Eventlog;
      assert.deepEqual([[0, 'EV_NO_ACTION'], ...log.events.map(({ pcr, type }) => [pcr, type])], events);
      const replayed = replayBootLog(log, crypto);
      for (const [pcr, value] of Object.entries(registers)) assert.equal(replayed.get(Number(pcr))?.toHex(), value, `PCR ${pcr}`);
      for (const pcr of BOOT_PCRS) assert.equal(replayed.get(pcr)?.toHex(), captured[name].registers[pcr], `PCR ${pcr}`);
    }
  });

  test('names variables, actions and the command line for people', () => {
    const names = bootLogOf(captured.first.bootLog).events.map(({ name }) => name);
    for (const name of ['SecureBoot', 'PK', 'BootOrder', 'Exit Boot Services Invocation']) assert.ok(names.includes(name), name);
  });

  test('with anything cut off or changed replays to other registers, or is refused, and never throws', () => {
    const { boot } = first.logs;
    for (let length = 0; length < boot.length; length += 1) {
      assert.notEqual(outcome({ ...first, logs: { ...first.logs, boot: boot.subarray(0, length) } }), 'accepted', `${length} bytes`);
    }
    for (let at = 0; at < boot.length; at += 1) {
      const changed = boot.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const decoded = decodeBootLog(changed);
      if (decoded.status === 'decoded') assert.ok(replayBootLog(decoded.value, crypto).size >= BOOT_PCRS.length);
    }
  });

  test('without a separator, or with one that reports an error, is refused although it replays', () => {
    const events = bootLogOf(captured.first.bootLog).events;
    const at = first.logs.boot.toHex().indexOf(separatorRecord(7));
    assert.ok(at > 0 && events.some(({ pcr, type }) => pcr === 7 && type === 'EV_SEPARATOR'));
    const boot = Uint8Array.fromHex(first.logs.boot.toHex().replace(separatorRecord(7), ''));
    const replayed = replayBootLog(bootLogOf(boot.toHex()), crypto);
    const registers: BoxRegisters = new Map([...first.registers, [7, replayed.get(7) ?? new Uint8Array()]]);
    assert.ok(reasonsOf({ logs: { ...first.logs, boot }, registers }).includes('separator-wrong'));
  });
});

describe('§6.5 the IMA log', () => {
  test('has the files and digests of the ASCII form, and its entries make PCR 10', () => {
    const entries = imaLogOf(captured.first.imaLog);
    const lines = captured.first.imaAscii.trimEnd().split('\n');
    assert.equal(entries.length, lines.length);
    for (const [index, { algorithm, digest, path, violation }] of entries.entries()) {
      const [, template, , shown, name] = (lines[index] ?? '').split(' ');
      assert.deepEqual([`${algorithm}:${digest.toHex()}`, path.replaceAll(' ', '_')], [shown, name]);
      assert.equal(violation, template === '0'.repeat(40));
    }
    assert.equal(entries.filter(({ violation }) => violation).length, 1);
    assert.equal(outcome(first), 'accepted');
  });

  test('may go on after the quote: only what the register covers counts', () => {
    const verdict = verdictOf(followedBy(first, LIMITS.imaUncoveredBytesMax));
    assert.ok(verdict.status === 'accepted');
    assert.equal(verdict.files.length, imaLogOf(captured.first.imaLog).length);
  });

  test('that goes on for longer than files are measured meanwhile is refused: what no register binds is free to invent', () => {
    assert.deepEqual(reasonsOf(followedBy(first, LIMITS.imaUncoveredBytesMax + 1)), ['ima-log-too-long']);
    const unmeasured = { ...first, registers: new Map([...first.registers, [10, new Uint8Array(32)]]) };
    assert.deepEqual(reasonsOf(followedBy(unmeasured, LIMITS.imaUncoveredBytesMax)), ['ima-log-too-long']);
  });

  test('has at most 65,536 entries', () => {
    const [aggregate] = imaEntries(first.logs.ima) as [Uint8Array];
    const entries = Array.from({ length: LIMITS.imaEntriesMax }, () => aggregate);
    assert.equal(outcome(withFiles(first, entries)), 'accepted');
    assert.deepEqual(reasonsOf(withFiles(first, [...entries, aggregate])), ['ima-log-malformed']);
  });

  test('is judged in turns of 256 entries, and a refusal names 64 files', () => {
    const [aggregate, ...others] = imaEntries(steady.logs.ima) as [Uint8Array, ...Uint8Array[]];
    const boot = withFiles(steady, [aggregate, ...Array.from({ length: 26 }, () => others).flat()]);
    const work = judgingMeasurement(crypto, { ...toJudge(boot), references: freeze(newReferenceValues(new Uint8Array(32), 'listed')) });
    let turns = 0;
    let step = work.next();
    for (; !step.done; step = work.next()) turns += 1;
    const parts = 2;
    const looked = 1;
    assert.equal(turns, parts + Math.floor((1 + 26 * others.length) / 256) + looked);
    assert.ok(step.value.status === 'refused');
    assert.equal(step.value.reasons.length, 64);
  });

  test('of another boot is refused by its boot_aggregate, though PCR 10 is made to fit', () => {
    const registers = new Map([...second.registers, [10, first.registers.get(10) ?? new Uint8Array()]]);
    assert.deepEqual(reasonsOf({ logs: { boot: second.logs.boot, ima: first.logs.ima }, registers }), ['ima-of-another-boot']);
  });

  test('whose boot_aggregate is a violation is refused: no register binds its digest', () => {
    const [aggregate, ...files] = imaEntries(first.logs.ima);
    assert.deepEqual(reasonsOf(withFiles(first, [violation(aggregate ?? new Uint8Array()), ...files])), ['ima-of-another-boot']);
  });

  test('that lacks an entry, or has one changed, makes another register', () => {
    const ima = first.logs.ima.subarray(0, -lastEntryBytes());
    assert.deepEqual(reasonsOf({ ...first, logs: { ...first.logs, ima } }), ['ima-log-differs']);
  });
});

describe('§6.5 reference values', () => {
  const known = learnedFrom(steady);

  test('that were frozen accept the boot that they were learned from', () => {
    assert.deepEqual(departuresOf(known, steady), []);
  });

  test('that list files refuse a violation, whatever known file its entry claims to be', () => {
    const rewritten = withFiles(
      steady,
      imaEntries(steady.logs.ima).map((entry, index) => (index === 5 ? violation(entry) : entry)),
    );
    assert.deepEqual(
      departuresOf(known, rewritten).map(({ reason, detail }) => [reason, detail.includes('/usr/lib/box/program-3')]),
      [['file-violation', true]],
    );
  });

  test('never learn a violation, and let it pass only where any file may', () => {
    const learned = learnedFrom(first);
    assert.deepEqual(learned.files, known.files);
    assert.deepEqual(
      departuresOf(learned, first).map(({ reason }) => reason),
      ['file-violation'],
    );
    assert.deepEqual(departuresOf({ ...learned, files: { rule: 'any' } }, first), []);
  });

  test('pass over a boot_aggregate only where the log begins', () => {
    const later = withFiles(steady, [...imaEntries(steady.logs.ima), entryOf('boot_aggregate', crypto.sha256(new Uint8Array(1)))]);
    assert.deepEqual(
      departuresOf(known, later).map(({ reason, detail }) => [reason, detail.startsWith('boot_aggregate ')]),
      [['file-unknown', true]],
    );
    assert.deepEqual(departuresOf(learnedFrom(later), later), []);
  });

  test('name the register and the event of another command line', () => {
    const details = departuresOf({ ...known, files: { rule: 'any' } }, second);
    assert.deepEqual([...new Set(details.map(({ pcr }) => pcr))], [9]);
    assert.deepEqual(details.map(({ reason }) => reason).sort(), ['event-missing', 'event-unknown']);
    assert.match(details[0]?.detail ?? '', /^PCR 9: EV_EVENT_TAG .* is not known$/);
  });

  test('of several learned boots accept each of them', () => {
    const both = freeze(learn(known, learnedOf(second)));
    for (const boot of [steady, second]) assert.deepEqual(departuresOf({ ...both, files: { rule: 'any' } }, boot), []);
  });

  test('name a file that is new, and one that changed', () => {
    const listed = known.files.rule === 'listed' ? known.files.files : [];
    const [changed, absent] = [listed[1], listed[2]];
    assert.ok(changed && absent);
    const files = listed
      .filter((file) => file !== absent)
      .map((file) => (file === changed ? { ...file, digests: [new Uint8Array(32)] } : file));
    const details = departuresOf({ ...known, files: { rule: 'listed', files } }, steady).map(
      ({ reason, detail }) => `${reason} ${detail.split(' ')[0] ?? ''}`,
    );
    assert.deepEqual(details.slice(0, 2).sort(), [`file-changed ${changed.path}`, `file-unknown ${absent.path}`].sort());
  });

  test('by release allow final values, and refuse another with the value', () => {
    const values = [first.registers.get(4) ?? new Uint8Array()];
    const byRelease: ReferenceValues = { ...known, files: { rule: 'any' }, registers: [{ pcr: 4, known: { rule: 'values', values } }] };
    assert.deepEqual(departuresOf(byRelease, first), []);
    assert.deepEqual(
      departuresOf({ ...byRelease, registers: [{ pcr: 9, known: { rule: 'values', values } }] }, first).map(({ reason, pcr }) => [
        reason,
        pcr,
      ]),
      [['register-unknown', 9]],
    );
  });

  test('that list files refuse a kernel that measures none', () => {
    const nothing: Boot = {
      logs: { ...first.logs, ima: new Uint8Array() },
      registers: new Map([...first.registers, [10, new Uint8Array(32)]]),
    };
    assert.deepEqual(
      departuresOf(known, nothing).map(({ reason }) => reason),
      ['files-not-measured'],
    );
  });
});

function toJudge({ logs, registers }: Boot): ToJudge {
  const reference = (log: Uint8Array) => partLog(log, sha256).reference;
  const evidence = {
    quote: new Uint8Array(1),
    signature: new Uint8Array(1),
    registers: [],
    bootLog: reference(logs.boot),
    imaLog: reference(logs.ima),
  };
  return { evidence, registers, logs };
}

function verdictOf(boot: Boot) {
  return judgeMeasurement(crypto, toJudge(boot));
}

/** With bytes behind what the register covers: nobody reads them. */
function followedBy(boot: Boot, bytes: number): Boot {
  const ima = new Uint8Array(Buffer.concat([boot.logs.ima, new Uint8Array(bytes)]));
  return { ...boot, logs: { ...boot.logs, ima } };
}

function outcome(boot: Boot): string {
  return verdictOf(boot).status;
}

function reasonsOf(boot: Boot): string[] {
  const verdict = verdictOf(boot);
  return verdict.status === 'refused' ? verdict.reasons.map(({ reason }) => reason) : [];
}

function learnedOf(boot: Boot) {
  const verdict = verdictOf(boot);
  assert.ok(verdict.status === 'accepted');
  return verdict;
}

function learnedFrom(boot: Boot): ReferenceValues {
  return freeze(learn(newReferenceValues(new Uint8Array(32), 'listed'), learnedOf(boot)));
}

function departuresOf(references: ReferenceValues, boot: Boot) {
  const { bootLog, files } = learnedOf(boot);
  return departuresFrom(references, { registers: boot.registers, bootLog, files });
}

function bootLogOf(log: string) {
  const decoded = decodeBootLog(Uint8Array.fromHex(log));
  assert.ok(decoded.status === 'decoded', decoded.status === 'malformed' ? decoded.detail : '');
  return decoded.value;
}

function imaLogOf(log: string) {
  const decoded = decodeImaLog(Uint8Array.fromHex(log), crypto);
  assert.ok(decoded.status === 'decoded', decoded.status === 'malformed' ? decoded.detail : '');
  return decoded.value.entries;
}

/** Of `/etc-file` with the template ima-sig and no signature. */
function lastEntryBytes(): number {
  const path = '/etc-file';
  return 4 + 20 + 4 + 'ima-sig'.length + 4 + (4 + 'sha256:'.length + 1 + 32) + (4 + path.length + 1) + 4;
}

/** A separator of four zero bytes with its one SHA-256 digest, in hexadecimal. */
function separatorRecord(pcr: number): string {
  const digest = crypto.sha256(new Uint8Array(4)).toHex();
  return `0${pcr}00000004000000010000000b00${digest}0400000000000000`;
}

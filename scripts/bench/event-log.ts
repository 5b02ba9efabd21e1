/**
 * A box's logs read, replayed and compared with reference values by the code of a device, in MB per second of one core, beside SHA-256
 * of the same bytes; and what the evidence of a box weighs. Scorecard: event logs.
 */
import { createHash } from 'node:crypto';
import { BoxCheck, BoxEvidence } from '#protocol/box-messages.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { decodeImaLog } from '#protocol/measured-box/ima-log.ts';
import { freeze, learn, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { partLog } from '#protocol/measured-box/log-parts.ts';
import { judgeMeasurement, type BoxLogs } from '#protocol/measured-box/measurement.ts';
import type { ReferenceValues } from '#protocol/measured-box/reference-values.ts';
import { BOX_PCRS, replayBootLog, replayImaLog, zeros, type BoxRegisters } from '#protocol/measured-box/registers.ts';
import { decodeBootLog } from '#protocol/measured-box/uefi-log.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

/** Files of a server after its start, and events of a boot with GRUB. */
const FILES = 2_000;
const EVENTS = 300;

const crypto = createNodeCrypto();

export const eventLog: Benchmark = {
  name: 'event-log',
  summary: 'IMA and boot logs read, replayed and judged, beside SHA-256 of the same bytes; weight of evidence',
  metric: 'event-log replay',
  run: async ({ rounds, quick }) => {
    const box = madeBox();
    const durationMs = quick ? 200 : 600;
    return [
      await replayRow('IMA log judged', box, ['ima'], rounds, durationMs),
      await replayRow('boot log judged', box, ['boot'], rounds, durationMs),
      ...weights(box),
    ];
  },
};

interface MadeBox {
  readonly logs: BoxLogs;
  readonly registers: BoxRegisters;
  readonly references: ReferenceValues;
}

async function replayRow(metric: string, box: MadeBox, which: ['ima'] | ['boot'], rounds: number, durationMs: number): Promise<Row> {
  const [log] = which;
  const empty: BoxLogs = log === 'ima' ? { ...box.logs, boot: box.logs.boot } : { ...box.logs, ima: new Uint8Array() };
  const registers = log === 'ima' ? box.registers : new Map([...box.registers, [10, zeros] as const]);
  const references: ReferenceValues = log === 'ima' ? box.references : { ...box.references, files: { rule: 'any' } };
  const megabytes = box.logs[log].length / 1e6;
  const judge = (): void => judged({ logs: empty, registers, references });
  const { ours, floor } = await inTurns(
    rounds,
    () => perCpuSecond(judge, durationMs) * megabytes,
    () => perCpuSecond(() => void createHash('sha256').update(box.logs[log]).digest(), durationMs) * megabytes,
  );
  const count = log === 'ima' ? `${FILES} files` : `${EVENTS} events`;
  return {
    status: 'measured',
    metric,
    unit: ' MB/s',
    better: 'higher',
    ours,
    floor: { name: 'SHA-256 of the same bytes', samples: floor },
    note: `per CPU-second; ${(box.logs[log].length / 1024).toFixed(0)} KiB, ${count}, compared with frozen reference values`,
  };
}

function judged({ logs, registers, references }: MadeBox): void {
  const sha256 = (bytes: Uint8Array): Uint8Array => crypto.sha256(bytes);
  const reference = (log: Uint8Array) => partLog(log, sha256).reference;
  const evidence = { quote: zeros, signature: zeros, registers: [], bootLog: reference(logs.boot), imaLog: reference(logs.ima) };
  const verdict = judgeMeasurement(crypto, { evidence, registers, logs, references });
  if (verdict.status === 'refused') throw new Error(`a good log is refused: ${verdict.reasons[0]?.detail ?? ''}`);
}

/** As they stand in messages and receipts, without the envelope's 70 bytes. */
function weights({ logs }: MadeBox): Row[] {
  const sha256 = (bytes: Uint8Array): Uint8Array => crypto.sha256(bytes);
  const common = {
    network: zeros,
    device: 'alpha',
    box: 'alpha-box',
    run: `${'0'.repeat(32)}.1`,
    beacon: zeros,
    madeAtMs: 1_700_000_000_000,
  };
  const tpm = {
    quote: new Uint8Array(145),
    signature: new Uint8Array(72),
    registers: BOX_PCRS.map(() => zeros),
    bootLog: partLog(logs.boot, sha256).reference,
    imaLog: partLog(logs.ima, sha256).reference,
  };
  const runtimes = ['node', 'python', 'perl', 'java'].map((name) => ({ name, version: '1.2.3', digest: zeros }));
  const software = {
    ...{ agent: zeros, kernel: '6.1.0-56-amd64', commandLine: zeros, packages: zeros, bootId: 'd2b6f2a4-6a0c-4a34-9d8c-7a1a0ad6a7a5' },
    ...{ runtimes, isolation: ['bubblewrap 0.8.0', 'cgroup-v2', 'user-own', 'namespaces-closed', 'seccomp'] },
  };
  return [
    weight('evidence of a box, self-reported', encodeStrict(BoxEvidence, { ...common, software })),
    weight('evidence of a box with a TPM', encodeStrict(BoxEvidence, { ...common, software, tpm })),
    weight('check during a run, with a TPM', encodeStrict(BoxCheck, { ...common, software: zeros, tpm })),
  ];
}

function weight(metric: string, encoded: Uint8Array): Row {
  return { status: 'measured', metric, unit: ' B', better: 'lower', ours: [encoded.length] };
}

function madeBox(): MadeBox {
  const logs = { boot: bootLogOf(EVENTS), ima: new Uint8Array() };
  const boot = decodeBootLog(logs.boot);
  if (boot.status === 'malformed') throw new Error(boot.detail);
  const registers = new Map([...replayBootLog(boot.value, crypto), [10, zeros] as const]);
  const aggregate = sha256Of(...Array.from({ length: 10 }, (_, pcr) => registers.get(pcr) ?? zeros));
  const ima = Buffer.concat([entryOf('boot_aggregate', aggregate), ...Array.from({ length: FILES }, (_, index) => fileOf(index))]);
  const entries = decodeImaLog(ima, crypto);
  if (entries.status === 'malformed') throw new Error(entries.detail);
  registers.set(10, registerOf(entries.value.map(({ extension }) => extension)));
  if (replayImaLog(entries.value, registers.get(10) ?? zeros, crypto) !== FILES + 1) throw new Error('the made log does not replay');
  const references = learn(newReferenceValues(zeros, 'listed'), { bootLog: boot.value, files: entries.value });
  return { logs: { ...logs, ima }, registers, references: freeze(references) };
}

function registerOf(extensions: readonly Uint8Array[]): Uint8Array {
  return extensions.reduce((register, extension) => sha256Of(register, extension), zeros);
}

function fileOf(index: number): Buffer {
  return entryOf(`/usr/lib/x86_64-linux-gnu/some/library-${index}.so.1`, sha256Of(Buffer.from(String(index))));
}

/** `ima-sig` without a signature, as kernels of Debian write it. */
function entryOf(path: string, digest: Uint8Array): Buffer {
  const fields = [Buffer.concat([Buffer.from('sha256:\0'), digest]), Buffer.from(`${path}\0`), Buffer.alloc(0)];
  const data = Buffer.concat(fields.flatMap((field) => [u32(field.length), field]));
  return Buffer.concat([u32(10), Buffer.alloc(20, 1), u32(7), Buffer.from('ima-sig'), u32(data.length), data]);
}

function bootLogOf(count: number): Buffer {
  const words = Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    u32(0),
    Buffer.from([0, 2, 0, 2]),
    u32(1),
    u16(11),
    u16(32),
    Buffer.from([0]),
  ]);
  const first = Buffer.concat([u32(0), u32(3), Buffer.alloc(20), u32(words.length), words]);
  const separators = Array.from({ length: 8 }, (_, pcr) => eventOf(pcr, 4, Buffer.alloc(4)));
  const commands = Array.from({ length: count - 8 }, (_, index) =>
    eventOf(8, 13, Buffer.from(`grub_cmd: menuentry number ${index} of a long menu\0`)),
  );
  return Buffer.concat([first, ...separators, ...commands]);
}

function eventOf(pcr: number, type: number, data: Buffer): Buffer {
  return Buffer.concat([u32(pcr), u32(type), u32(1), u16(11), sha256Of(data), u32(data.length), data]);
}

function sha256Of(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest());
}

function u16(value: number): Buffer {
  const encoded = Buffer.alloc(2);
  encoded.writeUInt16LE(value);
  return encoded;
}

function u32(value: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeUInt32LE(value);
  return encoded;
}

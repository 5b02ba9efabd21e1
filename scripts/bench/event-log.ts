/**
 * A box's logs read, replayed and compared with reference values by the code of a device, in MB per second of one core, beside the
 * hashes alone that a replay takes; and what the evidence of a box weighs. Scorecard: event logs.
 */
import { hash } from 'node:crypto';
import { BoxCheck, BoxEvidence } from '#protocol/box-messages.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { decodeImaLog } from '#protocol/measured-box/ima-log.ts';
import { freeze, learn, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { partLog } from '#protocol/measured-box/log-parts.ts';
import { judgeMeasurement, type BoxLogs } from '#protocol/measured-box/measurement.ts';
import type { ReferenceValues } from '#protocol/measured-box/reference-values.ts';
import { BOX_PCRS, replayBootLog, zeros, type BoxRegisters } from '#protocol/measured-box/registers.ts';
import { decodeBootLog } from '#protocol/measured-box/uefi-log.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { bootLogOf, entryOf, fileOf, sha256Of } from './made-logs.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

/** Files of a server after its start, and events of a boot with GRUB. */
const FILES = 2_000;
const EVENTS = 300;

const crypto = createNodeCrypto();

export const eventLog: Benchmark = {
  name: 'event-log',
  summary: 'IMA and boot logs read, replayed and judged, beside their hashes alone; weight of evidence',
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
  const logs: BoxLogs = log === 'ima' ? box.logs : { ...box.logs, ima: new Uint8Array() };
  const registers = log === 'ima' ? box.registers : new Map([...box.registers, [10, zeros] as const]);
  const references: ReferenceValues = log === 'ima' ? box.references : { ...box.references, files: { rule: 'any' } };
  const megabytes = box.logs[log].length / 1e6;
  const judge = (): void => judged({ logs, registers, references });
  const entries = log === 'ima' ? FILES : EVENTS;
  const { ours, floor } = await inTurns(
    rounds,
    () => perCpuSecond(judge, durationMs) * megabytes,
    () => perCpuSecond(() => hashesAlone(box.logs[log], entries), durationMs) * megabytes,
  );
  const count = `${entries} ${log === 'ima' ? 'files' : 'events'}`;
  return {
    status: 'measured',
    metric,
    unit: ' MB/s',
    better: 'higher',
    ours,
    floor: { name: 'a hash of each entry and of each extension', samples: floor },
    note: `per CPU-second; ${(box.logs[log].length / 1024).toFixed(0)} KiB, ${count}, compared with frozen reference values`,
  };
}

/** A log in equal parts: the digest of each, and the register extended by it. */
function hashesAlone(log: Uint8Array, entries: number): void {
  const length = Math.floor(log.length / entries);
  const extension = new Uint8Array(2 * zeros.length);
  for (let at = 0; at + length <= log.length; at += length) {
    extension.set(hash('sha256', log.subarray(at, at + length), 'buffer'), zeros.length);
    extension.set(hash('sha256', extension, 'buffer'));
  }
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
  const read = decodeImaLog(ima, crypto);
  if (read.status === 'malformed') throw new Error(read.detail);
  const { entries, register } = read.value;
  if (entries.length !== FILES + 1) throw new Error('the made log is not read as it was made');
  registers.set(10, register);
  const references = learn(newReferenceValues(zeros, 'listed'), { bootLog: boot.value, files: entries });
  return { logs: { ...logs, ima }, registers, references: freeze(references) };
}

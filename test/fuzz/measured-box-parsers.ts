/**
 * Fuzz targets of a box's logs and reference values (§6.5): foreign bytes never make them throw, and what is read is within bounds
 * and has words that may be shown.
 */
import assert from 'node:assert/strict';
import { BoxCheckMessage, runIdOf } from '#protocol/box-messages.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { BoxKeys, BoxTpmEvidence, ClosedSecret } from '#protocol/measured-box/box-tpm.ts';
import { judgeBoxKeys, judgeBoxQuote } from '#protocol/measured-box/box-quote.ts';
import { departuresFrom } from '#protocol/measured-box/departures.ts';
import { decodeImaLog } from '#protocol/measured-box/ima-log.ts';
import { freeze, learn, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { partLog } from '#protocol/measured-box/log-parts.ts';
import { judgeMeasurement, type BoxLogs } from '#protocol/measured-box/measurement.ts';
import { ReferenceValues } from '#protocol/measured-box/reference-values.ts';
import { BOX_PCRS, replayBootLog } from '#protocol/measured-box/registers.ts';
import { decodeBootLog, type BootLog } from '#protocol/measured-box/uefi-log.ts';
import { crypto, first, second } from '../unit/measured-box/boots.ts';
import { attestationKey, captured, hex } from '../unit/tpm/captured.ts';
import { keys, checkOf, nonceOf, quoted } from '../unit/measured-box/quoted-box.ts';
import { network, receiptValue, receiptWith, startMs } from '../unit/protocol/workshop.ts';
import { inCbor, inJson, refusing, sample, signed } from './doors.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const known = freeze(learn(newReferenceValues(new Uint8Array(32), 'listed'), requireAccepted(first.logs)));
const small: ReferenceValues = { ...known, files: { rule: 'any' }, registers: known.registers.slice(0, 2) };
const run = `${'ab'.repeat(16)}.1`;
const shownTpm = quoted(run, nonceOf('one'));
const check = checkOf(run, 'one', 1_700_000_000_000, { tpm: shownTpm }).evidence;
const receiptOfQuotes = receiptWith({ receipt: { measuredDuring: [checkOf(runOfReceipt(), 'one', startMs + 3_000, { tpm: shownTpm })] } });
const samples = [
  sample('ReferenceValues', ReferenceValues, 1 << 20, small),
  sample('BoxKeys', BoxKeys, 1 << 16, keys),
  sample('BoxTpmEvidence', BoxTpmEvidence, 1 << 16, shownTpm),
  sample('ClosedSecret', ClosedSecret, 1 << 16, { blob: new Uint8Array(68), secret: new Uint8Array(258) }),
];

export const measuredBoxParsers: FuzzTarget[] = [
  { name: 'boot log', seeds: [first.logs.boot, second.logs.boot], run: readsBootLog },
  { name: 'IMA log', seeds: [first.logs.ima, first.logs.ima.slice(0, 400)], run: readsImaLog },
  { name: 'judgement of a boot log', seeds: [first.logs.boot], run: (boot) => judges({ ...first.logs, boot }) },
  { name: 'judgement of an IMA log', seeds: [first.logs.ima], run: (ima) => judges({ ...first.logs, ima }) },
  ...samples.map(inCbor),
  ...samples.map(inJson),
  signed('signed box check', BoxCheckMessage, check),
  refusing('judgeReceipt with checks', [receiptOfQuotes], (bytes) => judgeReceipt(bytes, { network, crypto })),
  { name: 'keys of a box', seeds: [captured.endorsementKey, captured.attestationKey, captured.certificate].map(hex), run: judgesKeys },
  { name: 'quote of a box', seeds: [hex(captured.quote.attestation)], run: judgesQuote },
];

function runOfReceipt(): string {
  return runIdOf(receiptValue().capsule, 1);
}

function readsBootLog(bytes: Uint8Array): void {
  const decoded = decodeBootLog(bytes);
  if (decoded.status === 'malformed') return shown(decoded.detail);
  for (const { pcr, name, digest } of decoded.value.events) {
    assert.ok(pcr >= 0 && pcr < 24 && digest.length === 32);
    shown(name);
  }
  for (const register of replayBootLog(decoded.value, crypto).values()) assert.equal(register.length, 32);
  departures(decoded.value);
}

function readsImaLog(bytes: Uint8Array): void {
  const decoded = decodeImaLog(bytes, crypto);
  if (decoded.status === 'malformed') return shown(decoded.detail);
  const { entries, register, unreadBytes } = decoded.value;
  assert.ok(register.length === 32 && unreadBytes === 0 && entries.every(({ path }) => path.length > 0));
  for (const { detail } of departuresFrom(known, {
    registers: first.registers,
    bootLog: { events: [], startupLocality: 0 },
    files: entries,
  }))
    shown(detail);
}

function departures(bootLog: BootLog): void {
  for (const { detail } of departuresFrom(known, { registers: first.registers, bootLog, files: [] })) shown(detail);
}

/** What was changed may not be taken for the measurement that the registers show, unless it means the same. */
function judges(logs: BoxLogs): void {
  const verdict = verdictOn(logs);
  if (verdict.status === 'refused') return verdict.reasons.forEach(({ detail }) => shown(detail));
  assert.ok(verdict.bootLog.events.length > 0);
}

function verdictOn(logs: BoxLogs) {
  const reference = (log: Uint8Array) => partLog(log, (part) => crypto.sha256(part)).reference;
  const evidence = {
    quote: new Uint8Array(1),
    signature: new Uint8Array(1),
    registers: [],
    bootLog: reference(logs.boot),
    imaLog: reference(logs.ima),
  };
  return judgeMeasurement(crypto, { evidence, registers: first.registers, logs });
}

function requireAccepted(logs: BoxLogs) {
  const verdict = verdictOn(logs);
  assert.ok(verdict.status === 'accepted');
  return verdict;
}

function judgesKeys(bytes: Uint8Array): void {
  const proper = {
    endorsementKey: hex(captured.endorsementKey),
    attestationKey: hex(captured.attestationKey),
    certificates: [hex(captured.certificate)],
  };
  for (const keys of [
    { ...proper, endorsementKey: bytes },
    { ...proper, attestationKey: bytes },
    { ...proper, certificates: [bytes] },
  ]) {
    const verdict = judgeBoxKeys(keys, [], { crypto, atMs: 0 });
    shown(verdict.status === 'refused' ? verdict.detail : verdict.keys.detail);
  }
}

function judgesQuote(bytes: Uint8Array): void {
  const log = { bytes: 0, digest: new Uint8Array(32) };
  const evidence = {
    quote: bytes,
    signature: hex(captured.quote.signature),
    registers: BOX_PCRS.map(() => new Uint8Array(32)),
    bootLog: log,
    imaLog: log,
  };
  const verdict = judgeBoxQuote(crypto, attestationKey(), evidence, new Uint8Array(32));
  assert.ok(verdict.status === 'refused');
  shown(verdict.detail);
}

function shown(words: string): void {
  assert.ok(words.length < 10_000);
  assert.doesNotMatch(words, /\p{Cc}/u);
}

/**
 * The measurements of a box around and during one run, checked again by whoever has the receipt. Pure. Specification §6.6, §9.2.
 *
 * Logs stay with the device: what is checked here is that one machine, never reset, answered each time, with which registers.
 */
import { BoxCheckMessage, runIdOf, type BoxCheck, type BoxEvidence } from '../box-messages.ts';
import { sameBytes } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { domainDigest, hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import type { Genesis } from '../network.ts';
import type { Receipt } from '../receipt.ts';
import { softwareDigest } from '../software-state.ts';
import { openSigned } from '../signed.ts';
import { boxQuoteQualifier, judgeBoxKeys, judgeBoxQuote, type BoxMoment, type JudgedBoxKeys } from './box-quote.ts';
import type { BoxTpmEvidence } from './box-tpm.ts';
import { quoteContradictions } from './quote-continuity.ts';

export interface RunMeasured {
  readonly receipt: Receipt;
  /** Judged already: signed by the box, of this run, the same software. */
  readonly before: BoxEvidence;
  readonly after: BoxEvidence;
  /** How long the run took, in ms. */
  readonly wallMs: number;
}

export type RunMeasurementsVerdict =
  | { readonly status: 'accepted'; readonly steps: readonly { readonly rule: string; readonly detail: string }[] }
  | {
      readonly status: 'refused';
      readonly reason: 'box-evidence-refused' | 'software-changed' | 'box-quote-refused' | 'trust-overstated';
      readonly detail: string;
    };

type Refusal = RunMeasurementsVerdict & { status: 'refused' };

/** One answer of the box, whichever message it came in. */
interface Answer {
  readonly when: string;
  readonly nonce: Uint8Array;
  readonly beacon: Uint8Array;
  readonly tpm: BoxTpmEvidence | undefined;
}

export function judgeRunMeasurements(
  measured: RunMeasured,
  authorities: Genesis['endorsementAuthorities'],
  crypto: Crypto,
): RunMeasurementsVerdict {
  const { receipt, before, after, wallMs } = measured;
  const checks = openChecks(measured, crypto);
  if ('status' in checks) return checks;
  if (checks.length === 0 && wallMs >= LIMITS.uncheckedRunMsMax)
    return refused(
      'box-evidence-refused',
      `the run took ${wallMs} ms and the box was not checked during it; at ${LIMITS.uncheckedRunMsMax} ms it has been`,
    );
  const answers: Answer[] = [
    { when: 'before the run', nonce: receipt.measuredBefore.nonce, beacon: before.beacon, tpm: before.tpm },
    ...checks.map((check, index) => ({
      when: `during the run (${index + 1})`,
      nonce: nonceOf(receipt, index),
      beacon: check.beacon,
      tpm: check.tpm,
    })),
    { when: 'after the run', nonce: receipt.measuredAfter.nonce, beacon: after.beacon, tpm: after.tpm },
  ];
  const [repeated] = answers.filter(({ nonce }, index) => answers.some((other, at) => at < index && sameBytes(other.nonce, nonce)));
  if (repeated) return refused('box-evidence-refused', `the challenge ${repeated.when} was asked before`);
  const times =
    checks.length === 0
      ? []
      : [{ rule: 'box checks', detail: `${checks.length} at moments that the box could not foresee, the same software` }];
  const quotes = judgeQuotes(measured, answers, authorities, crypto);
  return quotes.status === 'refused' ? quotes : { status: 'accepted', steps: [...times, ...quotes.steps] };
}

function openChecks({ receipt, before, after }: RunMeasured, crypto: Crypto): BoxCheck[] | Refusal {
  const checks: BoxCheck[] = [];
  const software = softwareDigest(before.software);
  let lastMs = before.madeAtMs;
  for (const { nonce, issuedAtMs, evidence } of receipt.measuredDuring ?? []) {
    const opened = openSigned(BoxCheckMessage, evidence, { algorithm: 'ed25519', publicKey: receipt.box.key }, crypto);
    if (opened.status === 'refused') return refused('box-evidence-refused', opened.detail);
    const check = opened.value;
    const mismatch = mismatchInCheck(receipt, check, { nonce, issuedAtMs }) ?? orderOf(lastMs, check.madeAtMs, after.madeAtMs);
    if (mismatch) return refused('box-evidence-refused', mismatch);
    if (!sameBytes(check.software, software))
      return refused('software-changed', 'the box reports other software during the run than before it');
    lastMs = check.madeAtMs;
    checks.push(check);
  }
  return checks;
}

function mismatchInCheck(receipt: Receipt, check: BoxCheck, asked: { nonce: Uint8Array; issuedAtMs: number }): string | undefined {
  const run = runIdOf(receipt.capsule, receipt.attempt);
  if (check.run !== run) return `a check is of run ${check.run}, not ${run}`;
  if (!sameBytes(check.network, receipt.network)) return 'a check is of another network';
  if (check.box !== receipt.box.name || check.device !== receipt.device) return `a check is of ${check.box} at ${check.device}`;
  if (!sameBytes(check.beacon, domainDigest('beacon-value', receipt.network, asked.nonce))) return 'a check answers another challenge';
  if (check.madeAtMs + LIMITS.clockSkewMaxMs < asked.issuedAtMs) return 'a check was made before its challenge';
  if (check.madeAtMs > asked.issuedAtMs + LIMITS.beaconAgeMaxMs) return 'a check came too late after its challenge';
  return undefined;
}

function orderOf(earlierMs: number, madeAtMs: number, afterMs: number): string | undefined {
  const skewMs = LIMITS.clockSkewMaxMs;
  if (madeAtMs + skewMs >= earlierMs && madeAtMs <= afterMs + skewMs) return undefined;
  return 'a check was not made between the measurements around it, by the clock of the box itself';
}

/** A device may show less than it knows, never more. */
function judgeQuotes(
  measured: RunMeasured,
  answers: readonly Answer[],
  authorities: Genesis['endorsementAuthorities'],
  crypto: Crypto,
): RunMeasurementsVerdict {
  const { box, endedAtMs } = measured.receipt;
  if (!box.tpm)
    return box.trust === 'self-reported'
      ? { status: 'accepted', steps: [] }
      : refused('trust-overstated', `the receipt says ${box.trust} and shows no TPM of the box`);
  const judged = judgeBoxKeys(box.tpm.keys, authorities, { crypto, atMs: endedAtMs });
  if (judged.status === 'refused')
    return refused('box-quote-refused', `the keys of the box's TPM are refused (${judged.reason}): ${judged.detail}`);
  let earlier: BoxMoment | undefined;
  for (const answer of answers) {
    const moment = quoteIn(answer, measured, judged.keys, crypto);
    if ('status' in moment) return moment;
    const [contradiction] = earlier ? quoteContradictions(earlier, moment) : [];
    if (contradiction) return refused('box-quote-refused', `${answer.when}: ${contradiction.detail} (${contradiction.reason})`);
    earlier = moment;
  }
  return judgeLevel(measured.receipt, judged.keys, answers.length);
}

function quoteIn(answer: Answer, { receipt, before }: RunMeasured, keys: JudgedBoxKeys, crypto: Crypto): BoxMoment | Refusal {
  if (!answer.tpm) return refused('box-quote-refused', `${answer.when} the box showed no quote`);
  const run = runIdOf(receipt.capsule, receipt.attempt);
  const quoted = {
    network: receipt.network,
    beacon: answer.beacon,
    run,
    boxKey: receipt.box.key,
    software: softwareDigest(before.software),
  };
  const verdict = judgeBoxQuote(crypto, keys.attestationKey, answer.tpm, boxQuoteQualifier(quoted));
  return verdict.status === 'accepted'
    ? verdict.moment
    : refused('box-quote-refused', `${answer.when}: ${verdict.detail} (${verdict.reason})`);
}

function judgeLevel({ box }: Receipt, keys: JudgedBoxKeys, quotes: number): RunMeasurementsVerdict {
  const references = box.tpm?.references;
  if (box.trust === 'self-reported')
    return {
      status: 'accepted',
      steps: [{ rule: 'box quotes', detail: `${quotes} by one TPM that was not reset; nobody says that they are as they should be` }],
    };
  if (!references) return refused('trust-overstated', `the receipt says ${box.trust} and names no reference values`);
  const level = { hardware: 'tpm-measured', software: 'software-tpm', nobody: 'self-reported' } as const;
  const shown = level[keys.certified];
  if (shown === 'self-reported' || (box.trust === 'tpm-measured' && shown !== 'tpm-measured'))
    return refused('trust-overstated', `the receipt says ${box.trust}; the keys shown make it ${shown}: ${keys.detail}`);
  return {
    status: 'accepted',
    steps: [
      {
        rule: 'box quotes',
        detail: `${quotes} by one TPM that was not reset, ${box.trust}, against reference values ${hex(references).slice(0, 16)}`,
      },
    ],
  };
}

function nonceOf(receipt: Receipt, index: number): Uint8Array {
  return receipt.measuredDuring?.[index]?.nonce ?? new Uint8Array();
}

function refused(reason: Refusal['reason'], detail: string): Refusal {
  return { status: 'refused', reason, detail };
}

/**
 * This member's own wait: draw, start certificate, the wait by the monotonic clock, the block, end certificate. Pure.
 * Specification §12.2, §12.3, §12.6.
 *
 * A chip needs up to half a second for an answer, so the start certificate comes first, and draws are proved ahead.
 */
import { blockId, encodeBlock, encodeHeader, type ReadBlock, type TimeCertificate } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { endQualifier, startQualifier } from '#protocol/chain/wait-certificate.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { keepLatest } from './bounded.ts';
import type { TpmTask } from './events.ts';
import { voucherOf, vouchersDue } from './keys.ts';
import { report } from './outbox.ts';
import { poolCandidates } from './pool.ts';
import type { ConsensusState, OwnWait } from './state.ts';
import { ancestorOf, branchOf, type TakenBlock } from './tree.ts';

/** Begins anew when the head has moved; composes the block when the wait is over. */
export function followOwnWait(state: ConsensusState): void {
  const { ownWait, head } = state;
  if (!ownWait || (ownWait.parent !== head && !finishes(state, ownWait))) state.ownWait = beginWait(state);
  const wait = state.ownWait;
  if (!wait) return;
  const proof = state.tpm.proofs.get(hex(wait.alpha));
  if (proof) wait.waitMs ??= state.setup.ledger.waitMs(wait.parent.position, vrfOutput(state.setup.crypto, proof));
  const overMs = waitOverMs(wait);
  if (proof && overMs !== undefined && overMs <= state.at.monotonicMs) wait.composed ??= compose(state, wait, proof);
}

/** When the own wait is over, on the monotonic clock. */
export function ownWaitUntilMs({ ownWait }: ConsensusState): number | undefined {
  return ownWait && !ownWait.composed ? waitOverMs(ownWait) : undefined;
}

/** What the TPM is asked next for the own block: end, start, draw, the draw after that. */
export function waitTask(state: ConsensusState): TpmTask | undefined {
  const { ownWait: wait, setup, networkId, tpm, head } = state;
  if (!wait) return undefined;
  if (wait.composed) {
    const { headerBytes } = wait.composed;
    return { task: 'certify-end', header: headerBytes, qualifier: endQualifier(headerBytes) };
  }
  const parent = wait.parent.position.id;
  if (!wait.start) {
    const qualifier = startQualifier({ network: networkId, parent, node: setup.node, height: wait.height });
    return { task: 'certify-start', parent, qualifier };
  }
  if (!tpm.proofs.has(hex(wait.alpha))) return { task: 'prove-draw', height: wait.height, alpha: wait.alpha };
  if (voteUntilMs(state) !== undefined) return undefined;
  const ahead = setup.ledger.draw({ ...head.position, height: head.position.height + 1 }, setup.node);
  if (ahead.status === 'no-seat' || tpm.proofs.has(hex(ahead.alpha))) return undefined;
  return { task: 'prove-draw', height: head.position.height + 2, alpha: ahead.alpha };
}

/**
 * While the head is voted on, for as long as the first round may take, the draw after the next one waits: proving it takes a processor, or the
 * line to the chip, from the vote.
 * @returns when that is over, on the monotonic clock
 */
export function voteUntilMs({ head, finality, at }: ConsensusState): number | undefined {
  const untilMs = head.seenMs + finality.decision.setup.baseMs;
  return head !== finality.last.block && at.monotonicMs < untilMs ? untilMs : undefined;
}

export function startCertified(state: ConsensusState, parent: Uint8Array, certificate: TimeCertificate): void {
  const { ownWait: wait, at } = state;
  if (!wait || wait.start || !sameBytes(wait.parent.position.id, parent)) return;
  wait.start = { certificate, atMs: at.monotonicMs };
}

export function drawProved({ tpm }: ConsensusState, alpha: Uint8Array, proof: Uint8Array): void {
  tpm.proofs.set(hex(alpha), proof);
  keepLatest(tpm.proofs, CONSENSUS_LIMITS.proofsMax);
}

/** @returns the block, if it is one that everybody would take; what is short of the wait is waited for */
export function endCertified(state: ConsensusState, header: Uint8Array, end: TimeCertificate): ReadBlock | undefined {
  const wait = state.ownWait;
  if (!wait?.composed || !wait.start || !sameBytes(wait.composed.headerBytes, header)) return undefined;
  const { headerBytes, header: fields, transactions } = wait.composed;
  const encoded = encodeBlock({ header: headerBytes, end, transactions: [...transactions] });
  const block: ReadBlock = { id: blockId(headerBytes, end), header: fields, headerBytes, end, transactions, encoded };
  const shortMs = (wait.waitMs ?? 0) - elapsedMs(wait.start.certificate, end);
  wait.composed = undefined;
  if (shortMs > 0) {
    wait.extraMs = state.at.monotonicMs + shortMs - (wait.start.atMs + (wait.waitMs ?? 0));
    return undefined;
  }
  state.ownWait = undefined;
  const verdict = state.setup.ledger.judgeBlock(block, wait.parent.position, branchOf(state.tree, wait.parent));
  if (verdict.status === 'accepted') {
    state.ownHeight = wait.height;
    report(state.outbox, { report: 'blockMade', block, waitMs: verdict.waitMs });
    return block;
  }
  const { reason, detail } = verdict;
  state.tpm.proofs.delete(hex(wait.alpha));
  report(state.outbox, { report: 'blockRefused', from: state.self, height: wait.height, reason, detail });
  return undefined;
}

/** One block of a height, unless all of them have lost (§12.6), and only by who has a seat. */
function beginWait({ head, ownHeight, setup }: ConsensusState): OwnWait | undefined {
  const height = head.position.height + 1;
  if (height <= ownHeight) return undefined;
  const draw = setup.ledger.draw(head.position, setup.node);
  if (draw.status === 'no-seat') return undefined;
  const nothingYet = { start: undefined, waitMs: undefined, extraMs: 0, composed: undefined };
  return { parent: head, height, alpha: draw.alpha, ...nothingYet };
}

/** A wait that is over is certified though a rival has come, if the rival's was longer: the fork choice may take it (§12.7). */
function finishes({ head, tree }: ConsensusState, { parent, composed, waitMs }: OwnWait): boolean {
  return composed !== undefined && head.parent === parent.key && tree.blocks.has(parent.key) && (waitMs ?? Infinity) < head.waitMs;
}

function waitOverMs({ start, waitMs, extraMs }: OwnWait): number | undefined {
  return start && waitMs !== undefined ? start.atMs + waitMs + extraMs : undefined;
}

function compose(state: ConsensusState, wait: OwnWait, proof: Uint8Array): OwnWait['composed'] {
  const { setup, networkId, at, tree } = state;
  const { parent, start } = wait;
  if (!start || wait.waitMs === undefined) return undefined;
  const timeMs = Math.max(at.unixMs, parent.position.timeMs + wait.waitMs);
  const output = vrfOutput(setup.crypto, proof);
  const leader = { node: setup.node, output, start: start.certificate, timeMs };
  const candidates = [...vouchersDue(state), ...certificatesDue(state, parent), ...poolCandidates(state)];
  const composed = setup.ledger.compose(parent.position, leader, candidates, branchOf(tree, parent));
  const header = {
    ...{ version: 1 as const, network: networkId, height: wait.height, parent: parent.position.id, node: setup.node, timeMs },
    ...{ draw: proof, start: start.certificate, transactions: composed.root, state: composed.stateRoot },
  };
  return { header, headerBytes: encodeHeader(header), transactions: composed.transactions };
}

/** Of the checkpoints that the branch does not name yet, in their order. */
function certificatesDue(state: ConsensusState, parent: TakenBlock): Uint8Array[] {
  const { finality, setup, tree } = state;
  const due: Uint8Array[] = [];
  const first = parent.position.state.core.checkpoint.number + 1;
  for (let number = first; number <= finality.last.number && due.length < CONSENSUS_LIMITS.certificatesPerBlock; number += 1) {
    const certificate = finality.history.get(number)?.certificate ?? setup.archive.certificate(number);
    if (!certificate) break;
    due.push(finalityTransaction(state, certificate, parent));
  }
  return ancestorOf(tree, parent, tree.root.position.height) ? due : [];
}

/** With the vouchers of keys that the branch does not have: the block may bring them, and may not, where a later one of that member is there. */
function finalityTransaction(state: ConsensusState, certificate: FinalityCertificate, { position }: TakenBlock): Uint8Array {
  const { ledger } = state.setup;
  const vouchers = certificate.votes
    .filter(({ node, key }) => !ledger.isKeyOf(position.state, node, key))
    .flatMap(({ node, key }) => voucherOf(state, node, key) ?? []);
  return encodeTransaction({ kind: 'finality', certificate, ...(vouchers.length > 0 && { vouchers }) });
}

/** On the TPM's clock, unjudged: of this member's own certificates. */
function elapsedMs(start: TimeCertificate, end: TimeCertificate): number {
  const [from, to] = [decodeAttestOf('time', start.attestation), decodeAttestOf('time', end.attestation)];
  if (from.status === 'malformed' || to.status === 'malformed') return Infinity;
  return Number(to.value.attested.timeInfo.time - from.value.attested.timeInfo.time);
}

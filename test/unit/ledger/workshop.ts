/** A chain whose members, chips and clocks a test holds, so that it can make any block and any transaction, and change one thing. */
import assert from 'node:assert/strict';
import { BallotMessage } from '#protocol/chain/ballot.ts';
import { encodeBlock, encodeHeader, readBlock, type Header, type ReadBlock } from '#protocol/chain/block.ts';
import { capsuleIdFrom, requestDigestOf } from '#protocol/capsule.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import { encodeTransaction, type Action, type ActionOf, type OfferedBox } from '#protocol/chain/transaction.ts';
import { endQualifier, startQualifier } from '#protocol/chain/wait-certificate.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { networkId, type ConsensusParameters } from '#protocol/network.ts';
import { signingInput } from '#protocol/signed.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import type { TrustLevel } from '#protocol/trust-level.ts';
import { createLedger, type Ledger } from '../../../device/ledger/ledger.ts';
import type { Branch, Position } from '../../../device/ledger/position.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember, stubNetwork, type StubMember, type StubReading } from '../../simulation/stub-tpm.ts';

export const consensus: ConsensusParameters = { targetIntervalMs: 1_000, minimumWaitMs: 50, epochHeights: 8 };
export const [alpha, bravo, charlie, delta] = ['alpha', 'bravo', 'charlie', 'delta'].map((name) => createStubMember(name)) as [
  StubMember,
  StubMember,
  StubMember,
  StubMember,
];
export const founders: readonly StubMember[] = [alpha, bravo, charlie, delta];
export const network = stubNetwork(founders, consensus);
export const identity = networkId(network);
export const ledger: Ledger = createLedger({ network, networkId: identity, crypto: stubCrypto });

/** Unix time of the first blocks. */
export const epochStartMs = 1_700_000_000_000;

/** Blocks from the genesis upwards. */
export interface Chain {
  readonly positions: readonly Position[];
  readonly blocks: readonly ReadBlock[];
}

export const genesisChain: Chain = { positions: [ledger.genesis()], blocks: [] };

export function headOf({ positions }: Chain): Position {
  return positions.at(-1)!;
}

export function branchOf({ positions }: Chain): Branch {
  return { ancestorAt: (height) => positions[height]?.id };
}

/** Chip time of a member, far enough apart that no waits of one chip overlap. */
export function readingAt(height: number): StubReading {
  return { timeMs: height * 100_000, resetCount: 3, restartCount: 1 };
}

/** What a test changes about a block. */
export interface BlockChange {
  readonly start?: Partial<StubReading>;
  readonly end?: Partial<StubReading>;
  /** ms by which the end is certified later than the wait asks. */
  readonly lateMs?: number;
  readonly startSubject?: { readonly parent?: Uint8Array; readonly node?: Uint8Array; readonly height?: number };
  readonly header?: Partial<Header>;
  /** After the header was made. */
  readonly endHeader?: Uint8Array;
  readonly transactions?: readonly Uint8Array[];
  readonly timeMs?: number;
  readonly chip?: StubMember;
}

/** A block of `leader` on the chain's head with the candidates that are good. */
export function blockOn(chain: Chain, leader: StubMember, candidates: readonly Uint8Array[] = [], change: BlockChange = {}): ReadBlock {
  const parent = headOf(chain);
  const height = parent.height + 1;
  const chip = change.chip ?? leader;
  const draw = ledger.draw(parent, leader.node);
  const proof = chip.prove(draw.status === 'drawn' ? draw.alpha : new Uint8Array(32));
  const output = vrfOutput(stubCrypto, proof);
  const waitMs = ledger.waitMs(parent, output);
  const reading = { ...readingAt(height), ...change.start };
  const subject = { network: identity, parent: parent.id, node: leader.node, height, ...change.startSubject };
  const start = chip.getTime(startQualifier(subject), reading);
  const timeMs = change.timeMs ?? Math.max(parent.timeMs, epochStartMs) + waitMs;
  const composed = ledger.compose(parent, { node: leader.node, output, start, timeMs }, candidates, branchOf(chain));
  const header = encodeHeader({
    ...{ version: 1, network: identity, height, parent: parent.id, node: leader.node, timeMs, draw: proof, start },
    ...{ transactions: composed.root, state: composed.stateRoot, ...change.header },
  });
  const ended = { ...reading, timeMs: reading.timeMs + waitMs + (change.lateMs ?? 0), ...change.end };
  const end = chip.getTime(endQualifier(change.endHeader ?? header), ended);
  const read = readBlock(encodeBlock({ header, end, transactions: [...(change.transactions ?? composed.transactions)] }));
  assert.ok(read.status === 'decoded', 'detail' in read ? read.detail : '');
  return read.value;
}

export function judged(chain: Chain, block: ReadBlock) {
  return ledger.judgeBlock(block, headOf(chain), branchOf(chain));
}

export function reasonOf(verdict: { readonly status: string; readonly reason?: string }): string {
  return verdict.reason ?? verdict.status;
}

/** The chain with one more block, which all candidates must have entered. */
export function extended(chain: Chain, leader: StubMember, candidates: readonly Uint8Array[] = [], change: BlockChange = {}): Chain {
  const block = blockOn(chain, leader, candidates, change);
  const verdict = judged(chain, block);
  assert.ok(verdict.status === 'accepted', `${reasonOf(verdict)} ${'detail' in verdict ? verdict.detail : ''}`);
  assert.deepEqual(block.transactions.map(hex), (change.transactions ?? candidates).map(hex), 'a candidate was refused');
  return { positions: [...chain.positions, verdict.position], blocks: [...chain.blocks, block] };
}

export function grown(chain: Chain, blocks: number): Chain {
  let longer = chain;
  for (let index = 0; index < blocks; index += 1) longer = extended(longer, founders[index % founders.length]!);
  return longer;
}

/** What the ledger says to a transaction in the next block. */
export function verdictOn(chain: Chain, transaction: Uint8Array, timeMs: number = headOf(chain).timeMs) {
  return ledger.judgeTransaction(transaction, headOf(chain), branchOf(chain), timeMs);
}

export function refusalOf(chain: Chain, transaction: Uint8Array, timeMs?: number): string {
  return reasonOf(verdictOn(chain, transaction, timeMs));
}

/** The operational key of the boot that `reading` shows. */
export function keyOf(member: StubMember, boot = '3.1') {
  return member.operationalKey(boot);
}

export function voucherOf(member: StubMember, reading: StubReading = readingAt(0), boot = `${reading.resetCount}.${reading.restartCount}`) {
  return encodeTransaction({ kind: 'voucher', voucher: member.voucher(identity, reading, keyOf(member, boot).publicKey) });
}

export function actionOf(member: StubMember, action: Action, boot?: string): Uint8Array {
  const key = keyOf(member, boot);
  return signAction(identity, { by: member.node, key: key.publicKey }, action, key.sign);
}

/** Genesis and one block with the founders' vouchers. */
export const readyChain: Chain = extended(
  genesisChain,
  alpha,
  founders.map((founder) => voucherOf(founder)),
);

export function recordOf(chain: Chain, member: StubMember): MemberRecord {
  return headOf(chain).state.members.get(hex(member.node))!;
}

export interface CertificateChange {
  readonly number?: number;
  readonly previous?: Uint8Array;
  readonly round?: number;
}

/** Precommits of `voters` for the block at a height of the chain. */
export function certificateOf(
  chain: Chain,
  height: number,
  voters: readonly StubMember[] = founders,
  change: CertificateChange = {},
): FinalityCertificate {
  const { checkpoint } = headOf(chain).state.core;
  const certificate = { number: checkpoint.number + 1, previous: checkpoint.block, round: 0, ...change };
  const block = chain.positions[height]!.id;
  const instance = checkpointInstance(identity, certificate.number, certificate.previous);
  const votes = [...voters].sort(byNode).map((voter) => {
    const ballot = { network: identity, instance, round: certificate.round, step: 'precommit' as const, value: block, node: voter.node };
    const key = keyOf(voter);
    const signature = key.sign(signingInput('ballot', encodeStrict(BallotMessage.body, ballot)));
    return { node: voter.node, key: key.publicKey, signature };
  });
  return { ...certificate, block, height, votes };
}

export function finalityOf(chain: Chain, height: number, voters?: readonly StubMember[], change?: CertificateChange): Uint8Array {
  return encodeTransaction({ kind: 'finality', certificate: certificateOf(chain, height, voters, change) });
}

/** The chain with a block that certifies its head. */
export function finalised(chain: Chain, voters?: readonly StubMember[]): Chain {
  return extended(chain, alpha, [finalityOf(chain, headOf(chain).height, voters)]);
}

const capsuleDigestOfAll = new Uint8Array(32).fill(1);

/** Of a client's request number `index` to a gateway. */
export function capsuleId(index: number, { name: device }: StubMember = alpha): string {
  return capsuleIdFrom({ network: identity, device, requestDigest: requestDigestOfIndex(index), capsule: capsuleDigestOfAll });
}

export function submissionOf(
  index: number,
  change: Partial<ActionOf<'submission'>> = {},
  gateway: StubMember = alpha,
): ActionOf<'submission'> {
  return {
    action: 'submission',
    capsule: capsuleId(index, gateway),
    requestDigest: requestDigestOfIndex(index),
    digest: capsuleDigestOfAll,
    manifest: new Uint8Array(32).fill(2),
    manifestBytes: 500,
    runtime: 'python',
    trust: 'self-reported',
    acceptedAtMs: epochStartMs,
    ...change,
  };
}

export function boxesOf(serial: number, ...names: string[]): ActionOf<'boxes'> {
  return { action: 'boxes', serial, boxes: names.map((name) => offered(name, 'self-reported')) };
}

/** @param levels by name, in the order of names */
export function offersOf(serial: number, levels: Readonly<Record<string, TrustLevel>>): ActionOf<'boxes'> {
  return { action: 'boxes', serial, boxes: Object.entries(levels).map(([name, trust]) => offered(name, trust)) };
}

function offered(name: string, trust: TrustLevel): OfferedBox {
  return { name, key: new Uint8Array(32).fill(9), trust, runtimes: ['python'] };
}

function requestDigestOfIndex(index: number): Uint8Array {
  return requestDigestOf('you', new Uint8Array(16).fill(index & 255).fill(index >> 8, 8));
}

function byNode(left: StubMember, right: StubMember): number {
  return hex(left.node) < hex(right.node) ? -1 : 1;
}

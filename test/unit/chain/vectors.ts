/** The vectors of the chain, and its declarations under their names in the specification. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Ballot, Proposal } from '#protocol/chain/ballot.ts';
import { Block, Header, TimeCertificate } from '#protocol/chain/block.ts';
import { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { FinalityProof } from '#protocol/chain/finality-proof.ts';
import { ChainRequest, ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { StateProof } from '#protocol/chain/state-root.ts';
import { BoxRecord, CapsuleRecord, CoreState, MemberRecord, MemberStanding } from '#protocol/chain/state.ts';
import { Action, Transaction } from '#protocol/chain/transaction.ts';
import { MemberTrust, SlotDraw } from '#protocol/chain/trust-state.ts';
import { Voucher } from '#protocol/chain/voucher.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { AnchorVotesMessage } from '#protocol/layer1/anchor-message.ts';
import { MemberEvidence } from '#protocol/member-evidence.ts';
import { Genesis, Member, Network } from '#protocol/network.ts';
import type { Schema } from '#protocol/schema.ts';
import type { TrustStep } from '../ledger/trust-steps.ts';
import { Envelope } from '#protocol/signed.ts';

const folder = new URL('../../vectors/chain/', import.meta.url);

/** By their names in the CDDL of protocol/README.md. */
export const declarations: Readonly<Record<string, Schema<unknown>>> = {
  network: Network,
  genesis: Genesis,
  member: Member,
  block: Block,
  header: Header,
  'time-certificate': TimeCertificate,
  transaction: Transaction,
  voucher: Voucher,
  'member-card': MemberCard,
  action: Action,
  'core-state': CoreState,
  'member-standing': MemberStanding,
  'member-record': MemberRecord,
  'box-record': BoxRecord,
  'capsule-record': CapsuleRecord,
  'state-proof': StateProof,
  'member-evidence': MemberEvidence,
  'member-trust': MemberTrust,
  'slot-draw': SlotDraw,
  envelope: Envelope,
  ballot: Ballot,
  proposal: Proposal,
  'finality-certificate': FinalityCertificate,
  'finality-proof': FinalityProof,
  'head-announcement': HeadAnnouncement,
  'chain-request': ChainRequest,
  'chain-response': ChainResponse,
  'anchor-votes': AnchorVotesMessage,
};

/** A vector's values: byte strings are hexadecimal text. */
export type Words = Readonly<Record<string, unknown>>;

export interface Vector<Given = Words> {
  readonly given: Given;
  readonly expected: Readonly<Record<string, unknown>>;
}

export function readVectors(): Readonly<Record<string, readonly Vector[]>> {
  return JSON.parse(readFileSync(new URL('chain.json', folder), 'utf8')) as Record<string, Vector[]>;
}

export interface ProofVectors {
  readonly networks: Readonly<Record<string, string>>;
  readonly cases: readonly { name: string; network: string; proof: string; expected: Readonly<Record<string, unknown>> }[];
}

export function readProofs(): ProofVectors {
  return JSON.parse(readFileSync(new URL('proofs.json', folder), 'utf8')) as ProofVectors;
}

/** Whole blocks, the lowest first, and the id of the last. */
export function readReplay(): { readonly network: string; readonly blocks: readonly string[]; readonly head: string } {
  return JSON.parse(readFileSync(new URL('replay.json', folder), 'utf8')) as ReturnType<typeof readReplay>;
}

/** Steps about trust, each with the root of the state after it. */
export function readTrust(): { readonly network: string; readonly steps: readonly (TrustStep & { readonly root: string })[] } {
  const kept = JSON.parse(readFileSync(new URL('trust.json', folder), 'utf8')) as { network: string; steps: Words[] };
  return { network: kept.network, steps: kept.steps.map(stepOf) };
}

function stepOf(words: Words): TrustStep & { readonly root: string } {
  const bytes = (value: unknown): Uint8Array => Uint8Array.fromHex(String(value));
  const [root, height, timeMs] = [String(words['root']), Number(words['height']), Number(words['timeMs'])];
  if ('transaction' in words) return { transaction: bytes(words['transaction']), height, timeMs, root };
  if (!('checkpoint' in words)) return { height, root };
  const { number, height: at, block } = words['checkpoint'] as Words;
  return {
    checkpoint: { number: Number(number), height: Number(at), block: bytes(block) },
    voted: (words['voted'] as string[]).map(bytes),
    root,
  };
}

/** A read value as a vector has it. */
export function wordsOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) return value.map(wordsOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, wordsOf(field)]));
}

/** Runs the second implementation; undefined where there is no Python. */
export function secondImplementation(task: 'check' | 'bounds' | 'fits', input = ''): { status: number | null; output: string } | undefined {
  const run = spawnSync('python3', ['-B', fileURLToPath(new URL('vectors.py', folder)), task], {
    encoding: 'utf8',
    input,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 120_000,
  });
  if (run.error && 'code' in run.error && run.error.code === 'ENOENT') return undefined;
  return { status: run.status, output: run.stdout + run.stderr };
}

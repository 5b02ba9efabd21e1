/** What layer 1 says of a member: under the last final anchor of each chain of the network file, and of its chip in the contracts beside. §20.4, §20.6. */
import { hex } from '#protocol/digest.ts';
import { judgeAnchorFile } from '#protocol/layer1/anchor-file.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import { isSuspended } from '#protocol/chain/trust-state.ts';
import { networkId, type Layer1Chain } from '#protocol/network.ts';
import type { AnchorsReader } from '../../device/layer1/anchors-reader.ts';
import { UsageError } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { fetchAnchorFile, lastAnchor, withAnchors } from '../client/anchors.ts';
import { ClientFailure } from '../client/failure.ts';
import { harmless, timeText } from '../terminal.ts';
import { anchorWords, trustAtAnchor } from './at-anchor.ts';
import type { TrustSession } from './session.ts';

/** Addresses that Anchors does not know: the operator's word. */
export interface OtherContracts {
  readonly registry: string | undefined;
  readonly verdicts: string | undefined;
}

type Row = readonly [string, string];

/** A chain that is away, or says nothing that fits, is told and stops nothing. */
export async function layer1Rows(session: TrustSession, record: MemberRecord, contracts: OtherContracts): Promise<Row[]> {
  const addresses = { registry: addressOf('--registry', contracts.registry), verdicts: addressOf('--verdicts', contracts.verdicts) };
  const chains = session.network.layer1 ?? [];
  return Promise.all(
    chains.map(async (chain): Promise<Row> => ['layer 1', await wordsOn(chain, session, record, addresses).catch(wordsOfFailure)]),
  );
}

interface Addresses {
  readonly registry: Uint8Array | undefined;
  readonly verdicts: Uint8Array | undefined;
}

function wordsOn(
  { chainId, endpoints, anchors }: Layer1Chain,
  { client, network }: TrustSession,
  { node }: MemberRecord,
  addresses: Addresses,
): Promise<string> {
  return withAnchors({ chainId, endpoints, contract: anchors }, async (reader) => {
    const anchor = await lastAnchor(reader);
    const facts = await factsOf(reader, node, { ...addresses, epoch: anchor.epoch, network: networkId(network) });
    if (anchor.header.checkpoint === 0) return [`anchor 0 on chain ${reader.place.chainId}, of the founders`, ...facts].join('; ');
    const file = await fetchAnchorFile(client, network.genesis, { reader, anchor, above: undefined });
    const verdict = judgeAnchorFile(file, anchor.anchor);
    if (verdict.status === 'refused')
      return `what ${client.device} shows of anchor ${anchor.epoch} does not fit (${verdict.reason}): ${verdict.detail}`;
    const { explained } = trustAtAnchor(verdict, node, []);
    const until = explained.checkpointsLeft < 0 || isSuspended(explained.trust) ? '' : ` until checkpoint ${explained.trust.attestedUntil}`;
    return [`${explained.standing}${until}, credit ${explained.trust.credit}, by ${anchorWords(verdict)}`, ...facts].join('; ');
  });
}

/** Of the contract NodeDisputes the address follows from that of Anchors, where it was made by this build's code. */
async function factsOf(
  reader: AnchorsReader,
  node: Uint8Array,
  { registry, verdicts, epoch, network }: Addresses & { readonly epoch: number; readonly network: Uint8Array },
): Promise<string[]> {
  const { decodeResult, encodeCall } = await import('#contracts/evm.ts');
  const { planNodeDisputes } = await import('#contracts/node-disputes.ts');
  const { abi: disputes } = await import('#contracts/generated/node-disputes.ts');
  const { address } = planNodeDisputes(network, reader.place.anchors);
  const mark = decodeResult(disputes, 'markOf', await reader.ask(address, encodeCall(disputes, 'markOf', [node])));
  const facts = [mark ? markWords(Number(mark.fault), Number(mark.provenAt)) : 'no contract of disputes is known here'];
  if (registry) {
    const { abi } = await import('#contracts/generated/node-registry.ts');
    const stake = decodeResult(abi, 'stakeOf', await reader.ask(registry, encodeCall(abi, 'stakeOf', [node])));
    facts.push(
      stake ? (stake.amount === 0n ? 'nothing at stake' : `${stake.amount} wei at stake`) : `0x${hex(registry)} is no NodeRegistry`,
    );
  }
  if (verdicts) {
    const { abi } = await import('#contracts/generated/verdict-disputes.ts');
    const answer = await reader.ask(verdicts, encodeCall(abi, 'refutationOf', [BigInt(epoch), node]));
    const refutation = decodeResult(abi, 'refutationOf', answer);
    facts.push(refutation === undefined ? `0x${hex(verdicts)} is no VerdictDisputes` : (REFUTATIONS[Number(refutation)] ?? 'refuted'));
  }
  return facts;
}

const FAULTS = ['', 'votes for two anchors of one epoch', 'two blocks of one height', 'its expulsion'] as const;
const REFUTATIONS = [
  'its verdict is not refuted',
  'its verdict is refuted: a judge was not drawn',
  'its verdict is refuted by the evidence',
] as const;

function markWords(fault: number, provenAtS: number): string {
  return fault === 0 ? 'no mark against its chip' : `MARKED for ${FAULTS[fault] ?? 'a fault'}, proven ${timeText(provenAtS * 1_000)}`;
}

function wordsOfFailure(error: unknown): string {
  if (error instanceof ClientFailure || error instanceof CommandFailure) return `not known: ${harmless(error.message)}`;
  throw error;
}

/** @throws UsageError */
function addressOf(option: string, words: string | undefined): Uint8Array | undefined {
  if (words === undefined) return undefined;
  if (!/^0x[0-9a-fA-F]{40}$/.test(words)) throw new UsageError(`${option} "${words}" is no address: give 0x and 40 hexadecimal digits`);
  return Uint8Array.fromHex(words.slice(2));
}

/** The contract Anchors as devices read it and call it: where its posts stand, the votes of one, and the transactions of §20.3. Specification §20.3, §20.8. */
import type { Arguments } from '#contracts/abi.ts';
import { decodeCall, decodeEvent, decodeResult, encodeCall } from '#contracts/evm.ts';
import { abi } from '#contracts/generated/anchors.ts';
import { abi as disputesAbi } from '#contracts/generated/node-disputes.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import type { AnchorVotes } from '#protocol/layer1/anchor-post.ts';
import type { AnchorHeader } from '#protocol/layer1/anchor.ts';
import { LEAF_STANDINGS, type MemberLeaf } from '#protocol/layer1/leaf.ts';
import { bytesIn, fieldOf, readCount } from './answers.ts';
import type { Comparison } from './comparison.ts';
import { quantity, valueOf, type Endpoints } from './endpoints.ts';

type AbiHeader = Arguments<typeof abi, 'post'>[0];
type AbiMember = Arguments<typeof abi, 'challengeVote'>[4];

/** A leaf of the members' tree with its path. */
export interface ShownLeaf {
  readonly index: number;
  readonly leaf: MemberLeaf;
  readonly path: readonly Uint8Array[];
}

/** A vote with the header of its anchor. */
export interface SignedHeader {
  readonly header: AnchorHeader;
  readonly vote: Uint8Array;
}

/** An anchor that somebody brought. */
export interface PostedAnchor {
  readonly header: AnchorHeader;
  /** Of the transaction, in which the votes stand. */
  readonly transaction: Uint8Array;
  readonly block: number;
}

type ViewName = 'tip' | 'lastFinal' | 'bond';
const views = { tip: 'tip', lastFinal: 'lastFinal', bond: 'bond' } as const satisfies Record<ViewName, ViewName>;

export interface AnchorsContract {
  readonly endpoints: Endpoints;
  /** 20 bytes. */
  readonly address: Uint8Array;
}

/** What the contract says at a block. @param account whose it owes */
export async function readAnchors({ endpoints, address }: AnchorsContract, block: number, account: Uint8Array | undefined) {
  const asked = <N extends ViewName>(name: N) => callAt(endpoints, address, block, encodeCall(abi, views[name], []));
  const owing = account && callAt(endpoints, address, block, encodeCall(abi, 'owed', [account]));
  const answers = await Promise.all([asked('tip'), asked('lastFinal'), asked('bond'), owing]);
  const failed = answers.find((one) => one !== undefined && one.status !== 'agreed');
  if (failed) return { status: 'unread', why: failed } as const;
  const [tipSaid, finalSaid, bondSaid, owed] = answers;
  const [tip, bond] = [decodeResult(abi, 'tip', agreed(tipSaid)), decodeResult(abi, 'bond', agreed(bondSaid))];
  const [epoch, lastFinal] = [countOf(tip?.epoch), countOf(decodeResult(abi, 'lastFinal', agreed(finalSaid)))];
  if (!tip || epoch === undefined || lastFinal === undefined || bond === undefined) return { status: 'no-contract' } as const;
  const owedSaid = owed && decodeResult(abi, 'owed', agreed(owed));
  const view = { tip: { epoch, anchor: tip.anchor }, lastFinal, bond };
  return { status: 'read', view: { ...view, owed: owedSaid ?? 0n } } as const;
}

/** The posts of a range of blocks, both ends included. */
export function readPosts(
  { endpoints, address }: AnchorsContract,
  fromBlock: number,
  toBlock: number,
): Promise<Comparison<PostedAnchor[]>> {
  const range = { address: `0x${hex(address)}`, fromBlock: quantity(fromBlock), toBlock: quantity(toBlock) };
  const read = valueOf((value) => (Array.isArray(value) ? value.flatMap((log) => postIn(log, address) ?? []) : undefined));
  const words = (posts: PostedAnchor[]) => `posts ${posts.map(({ header, transaction }) => `${header.epoch} ${hex(transaction)}`).join()}`;
  return endpoints.ask({ method: 'eth_getLogs', params: [range], read, words });
}

/** The votes with which an anchor was brought: the contract takes them from a transaction alone, in whose data they stand. */
export function readPostedVotes({ endpoints, address }: AnchorsContract, transaction: Uint8Array): Promise<Comparison<AnchorVotes>> {
  const read = valueOf((value): AnchorVotes | undefined => {
    const [to, input] = [bytesIn(fieldOf(value, 'to')), bytesIn(fieldOf(value, 'input'))];
    const called = to && input && sameBytes(to, address) ? decodeCall(abi, 'post', input) : undefined;
    return called && { round: Number(called.votes.round), voters: called.votes.voters, votes: called.votes.votes };
  });
  const words = ({ round, voters, votes }: AnchorVotes) => `round ${round} voters ${voters} votes ${hex(votes)}`;
  return endpoints.ask({ method: 'eth_getTransactionByHash', params: [`0x${hex(transaction)}`], read, words });
}

export function postCall(header: AnchorHeader, votes: AnchorVotes): Uint8Array {
  return encodeCall(abi, 'post', [abiHeader(header), givenVotes(votes)]);
}

/** @param vote number of the vote that does not hold. @param member whoever has its place, under the anchor before */
export function challengeCall(epoch: number, previous: AnchorHeader, votes: AnchorVotes, vote: number, member: ShownLeaf): Uint8Array {
  return encodeCall(abi, 'challengeVote', [BigInt(epoch), abiHeader(previous), givenVotes(votes), BigInt(vote), givenMember(member)]);
}

export function withdrawCall(to: Uint8Array): Uint8Array {
  return encodeCall(abi, 'withdraw', [to]);
}

/** Of the contract NodeDisputes. @param known header of a final anchor with the member */
export function twoAnchorsCall(known: AnchorHeader, member: ShownLeaf, first: SignedHeader, second: SignedHeader): Uint8Array {
  const signed = ({ header, vote }: SignedHeader) => ({ header: abiHeader(header), vote });
  return encodeCall(disputesAbi, 'proveTwoAnchors', [abiHeader(known), givenMember(member), signed(first), signed(second)]);
}

/** How long a post can be challenged, in milliseconds; it never changes. Undefined where endpoints don't agree on it. */
export async function readWindowMs({ endpoints, address }: AnchorsContract, block: number): Promise<number | undefined> {
  const said = await callAt(endpoints, address, block, encodeCall(abi, 'windowS', []));
  const windowS = decodeResult(abi, 'windowS', agreed(said));
  return windowS === undefined ? undefined : Number(windowS) * 1_000;
}

function callAt(endpoints: Endpoints, to: Uint8Array, block: number, data: Uint8Array): Promise<Comparison<Uint8Array>> {
  const params = [{ to: `0x${hex(to)}`, data: `0x${hex(data)}` }, quantity(block)];
  return endpoints.ask({ method: 'eth_call', params, read: valueOf(bytesIn), words: hex });
}

function agreed(comparison: Comparison<Uint8Array>): Uint8Array {
  return comparison.status === 'agreed' ? comparison.value : new Uint8Array();
}

function postIn(log: unknown, address: Uint8Array): PostedAnchor | undefined {
  const [from, data, transaction] = ['address', 'data', 'transactionHash'].map((name) => bytesIn(fieldOf(log, name)));
  const [block, topics] = [readCount(fieldOf(log, 'blockNumber')), fieldOf(log, 'topics')];
  if (!from || !sameBytes(from, address) || !data || !transaction || block === undefined || !Array.isArray(topics)) return undefined;
  const event = decodeEvent(
    abi,
    topics.flatMap((topic) => bytesIn(topic) ?? []),
    data,
  );
  const header = event?.name === 'Posted' ? headerIn(event.values.header) : undefined;
  return header && { header, transaction, block };
}

/** A header as calls carry it. */
export function abiHeader(header: AnchorHeader): AbiHeader {
  const { epoch, checkpoint, height, timeMs, members, seats, ...digests } = header;
  const counts = { epoch: BigInt(epoch), checkpoint: BigInt(checkpoint), height: BigInt(height), timeMs: BigInt(timeMs) };
  return { ...digests, ...counts, members: BigInt(members), seats: BigInt(seats) };
}

/** @returns undefined where a count is greater than the contract takes: whoever says so lies */
function headerIn({ epoch, checkpoint, height, timeMs, members, seats, ...digests }: AbiHeader): AnchorHeader | undefined {
  if ([epoch, checkpoint, height, timeMs, members, seats].some((count) => countOf(count) === undefined)) return undefined;
  const counts = { epoch: Number(epoch), checkpoint: Number(checkpoint), height: Number(height), timeMs: Number(timeMs) };
  return { ...digests, ...counts, members: Number(members), seats: Number(seats) };
}

/** What a number holds exactly. */
function countOf(count: bigint | undefined): number | undefined {
  return count !== undefined && count <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(count) : undefined;
}

function givenVotes({ round, voters, votes }: AnchorVotes): Arguments<typeof abi, 'post'>[1] {
  return { round: BigInt(round), voters, votes };
}

function givenMember({ index, leaf, path }: ShownLeaf): AbiMember {
  const { standing, drawsFromEpoch, ...keys } = leaf;
  const numbers = { standing: BigInt(LEAF_STANDINGS.indexOf(standing)), drawsFromEpoch: BigInt(drawsFromEpoch) };
  return { index: BigInt(index), leaf: { ...keys, ...numbers }, path: [...path] };
}

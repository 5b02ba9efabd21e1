/** Blocks and votes of other members, made at will, for a core that is tried alone. */
import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { blockId, encodeBlock, encodeHeader, type ReadBlock } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { encodeVoucher } from '#protocol/chain/voucher.ts';
import { endQualifier, startQualifier } from '#protocol/chain/wait-certificate.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { networkId } from '#protocol/network.ts';
import { Envelope, signMessage } from '#protocol/signed.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import type { ConsensusEffect, MessageKind } from '../../../device/consensus/events.ts';
import type { Position } from '../../../device/ledger/position.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import type { StubMember } from '../../simulation/stub-tpm.ts';
import type { Actor, World } from './world.ts';

/** A block with what is below it. */
export interface Made {
  readonly block: ReadBlock | undefined;
  readonly position: Position;
  readonly waitMs: number;
  readonly below: Made | undefined;
}

export interface Wishes {
  /** Chain time; else the earliest that is allowed. */
  readonly timeMs?: number;
  readonly candidates?: readonly Uint8Array[];
  /** How much shorter than the wait the certificates are. */
  readonly shortMs?: number;
}

export function memberOf(world: World, name: string): StubMember {
  const member = world.members.find((one) => one.name === name);
  if (!member) throw new Error(`no member ${name}`);
  return member;
}

export function genesisOf(world: World): Made {
  return { block: undefined, position: world.ledger.genesis(), waitMs: 0, below: undefined };
}

export function branchOf(tip: Made): { ancestorAt(height: number): Uint8Array | undefined } {
  return {
    ancestorAt(height) {
      for (let at: Made | undefined = tip; at; at = at.below) if (at.position.height === height) return at.position.id;
      return undefined;
    },
  };
}

/** The wait that a member has drawn for the block above. */
export function drawnWaitMs(world: World, parent: Made, name: string): number {
  return world.ledger.waitMs(parent.position, drawOf(world, parent, name).output);
}

/** The members by their waits for the block above, the shortest first. */
export function byWait(world: World, parent: Made): string[] {
  const waits = world.members.map(({ name }) => ({ name, waitMs: drawnWaitMs(world, parent, name) }));
  return waits.sort((left, right) => left.waitMs - right.waitMs).map(({ name }) => name);
}

export function forge(world: World, parent: Made, name: string, wishes: Wishes = {}): Made & { readonly block: ReadBlock } {
  const member = memberOf(world, name);
  const { node } = member;
  const { proof, output } = drawOf(world, parent, name);
  const network = networkId(world.network);
  const height = parent.position.height + 1;
  const waitMs = world.ledger.waitMs(parent.position, output);
  const startMs = 1_000_000_000 + height * 10_000_000;
  const boot = { resetCount: 1, restartCount: 0 };
  const start = member.getTime(startQualifier({ network, parent: parent.position.id, node, height }), { timeMs: startMs, ...boot });
  const timeMs = wishes.timeMs ?? (parent.below ? parent.position.timeMs : world.at().unixMs - 60_000) + waitMs;
  const composed = world.ledger.compose(parent.position, { node, output, start, timeMs }, wishes.candidates ?? [], branchOf(parent));
  const header = {
    ...{ version: 1 as const, network, height, parent: parent.position.id, node, timeMs },
    ...{ draw: proof, start, transactions: composed.root, state: composed.stateRoot },
  };
  const headerBytes = encodeHeader(header);
  const end = member.getTime(endQualifier(headerBytes), { timeMs: startMs + waitMs - (wishes.shortMs ?? 0), ...boot });
  const { transactions } = composed;
  const encoded = encodeBlock({ header: headerBytes, end, transactions });
  const id = blockId(headerBytes, end);
  const block = { id, header, headerBytes, end, transactions, encoded };
  return { block, position: { id, height, timeMs, state: composed.state }, waitMs, below: parent };
}

/** `count` blocks, each by whoever has the shortest wait. */
export function forgeChain(world: World, parent: Made, count: number, wishes: Wishes = {}): (Made & { readonly block: ReadBlock })[] {
  const chain: (Made & { readonly block: ReadBlock })[] = [];
  for (let tip = parent; chain.length < count; tip = chain.at(-1) ?? parent) {
    chain.push(forge(world, tip, byWait(world, tip)[0] ?? '', wishes));
  }
  return chain;
}

export function voucherOf(world: World, name: string): Uint8Array {
  const member = memberOf(world, name);
  const key = member.operationalKey('boot').publicKey;
  return encodeVoucher(member.voucher(networkId(world.network), { timeMs: 1, resetCount: 1, restartCount: 0 }, key));
}

export type Cast = Pick<Ballot, 'round' | 'step' | 'value'>;

/** A ballot on checkpoint `number` after the block `previous`. */
export function ballotOf(world: World, name: string, about: { number: number; previous: Uint8Array }, cast: Cast): Uint8Array {
  const member = memberOf(world, name);
  const network = networkId(world.network);
  const instance = checkpointInstance(network, about.number, about.previous);
  const sign = (input: Uint8Array): Uint8Array => member.operationalKey('boot').sign(input);
  return signMessage(BallotMessage, { network, instance, ...cast, node: member.node }, sign);
}

/** By these members, for a block above the checkpoint before it. */
export function certificateOf(
  world: World,
  names: readonly string[],
  about: { number: number; previous: Uint8Array },
  final: Position,
): FinalityCertificate {
  const votes = names.map((name) => {
    const envelope = ballotOf(world, name, about, { round: 0, step: 'precommit', value: final.id });
    const opened = decodeStrict(Envelope, envelope, envelope.length);
    if (opened.status === 'malformed') throw new Error(opened.detail);
    const member = memberOf(world, name);
    return { node: member.node, key: member.operationalKey('boot').publicKey, signature: opened.value.signature };
  });
  votes.sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
  return { ...about, block: final.id, height: final.height, round: 0, votes };
}

/** What a peer says to a core, at this moment. */
export function say(world: World, to: Actor, from: string, kind: MessageKind, payload: Uint8Array): ConsensusEffect[] {
  return world.tell(to, { type: 'received', from: hex(memberOf(world, from).node), kind, payload });
}

export function sayBlock(world: World, to: Actor, { block }: Made, from = 'bravo'): ConsensusEffect[] {
  return block ? say(world, to, from, 'block', block.encoded) : [];
}

/** In a line: kinds, tasks and records of effects. */
export function kindsOf(effects: readonly ConsensusEffect[]): string[] {
  return effects.map((effect) => {
    switch (effect.effect) {
      case 'persist':
        return `persist ${effect.records.map(({ record }) => record).join(', ')}`;
      case 'broadcast':
        return `broadcast ${effect.kind}${effect.retain ? ', retained' : ''}`;
      case 'send':
        return 'send response';
      case 'ask':
        return `ask ${effect.task.task}`;
      case 'report':
        return `report ${effect.report.report}`;
      case 'wakeAt':
        return 'wakeAt';
    }
  });
}

function drawOf(world: World, parent: Made, name: string): { readonly proof: Uint8Array; readonly output: Uint8Array } {
  const member = memberOf(world, name);
  const draw = world.ledger.draw(parent.position, member.node);
  if (draw.status === 'no-seat') throw new Error(draw.detail);
  const proof = member.prove(draw.alpha);
  return { proof, output: vrfOutput(stubCrypto, proof) };
}

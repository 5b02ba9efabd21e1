/**
 * Protocol messages of a cheating member, changed a little and signed again with its own keys: a round more or less, an old
 * value, another parent. ByzzFuzz (Winter and others, OOPSLA 2023) found faults of real systems with such small changes.
 */
import { BallotMessage, ProposalMessage, STEPS, type Ballot, type Proposal } from '#protocol/chain/ballot.ts';
import { encodeBlock, encodeHeader, readBlock, type Header } from '#protocol/chain/block.ts';
import { endQualifier } from '#protocol/chain/wait-certificate.ts';
import { hex } from '#protocol/digest.ts';
import { peekSigned, signMessage } from '#protocol/signed.ts';
import type { Chance } from './chance.ts';
import type { Host, Outgoing } from './host.ts';
import type { ChipReading } from './identity.ts';

/** What a cheat has heard: values and blocks to put in the place of others. */
export interface Memory {
  readonly values: Uint8Array[];
  readonly payloads: Outgoing[];
  /** Members in whose name it may speak. */
  readonly nodes: readonly Uint8Array[];
}

/** @returns the changed message, or undefined where this one is left as it is */
export function mutated(
  host: Host,
  { kind, payload }: Outgoing,
  memory: Memory,
  chance: Chance,
  reading: ChipReading,
): Uint8Array | undefined {
  if (kind === 'ballot') return mutatedBallot(host, payload, memory, chance) ?? mutatedProposal(host, payload, memory, chance);
  if (kind === 'block') return mutatedBlock(host, payload, memory, chance, reading);
  return undefined;
}

function mutatedBallot(host: Host, payload: Uint8Array, memory: Memory, chance: Chance): Uint8Array | undefined {
  const peeked = peekSigned(BallotMessage, payload);
  if (peeked.status === 'malformed' || hex(peeked.value.node) !== host.node) return undefined;
  const changed = changedBallot(peeked.value, memory, chance);
  return signMessage(BallotMessage, changed, (input) => host.chip.operationalKey().sign(input));
}

function changedBallot(ballot: Ballot, memory: Memory, chance: Chance): Ballot {
  const { value, ...rest } = ballot;
  switch (chance.pick(['round', 'value', 'none', 'step', 'node'] as const)) {
    case 'round':
      return { ...ballot, round: movedRound(ballot.round, chance) };
    case 'value':
      return { ...ballot, value: otherValue(memory, chance) };
    case 'none':
      return rest;
    case 'step':
      return { ...ballot, step: chance.pick(STEPS) };
    case 'node':
      return { ...ballot, node: chance.pick(memory.nodes), value: otherValue(memory, chance) };
  }
}

function mutatedProposal(host: Host, payload: Uint8Array, memory: Memory, chance: Chance): Uint8Array | undefined {
  const peeked = peekSigned(ProposalMessage, payload);
  if (peeked.status === 'malformed' || hex(peeked.value.node) !== host.node) return undefined;
  const changed = changedProposal(peeked.value, memory, chance);
  return signMessage(ProposalMessage, changed, (input) => host.chip.operationalKey().sign(input));
}

function changedProposal(proposal: Proposal, memory: Memory, chance: Chance): Proposal {
  const { validRound, ...rest } = proposal;
  switch (chance.pick(['round', 'value', 'unbacked', 'valid-round', 'fewer'] as const)) {
    case 'round':
      return { ...proposal, round: movedRound(proposal.round, chance) };
    case 'value':
      return { ...proposal, value: otherValue(memory, chance) };
    case 'unbacked':
      return { ...rest, prevotes: [] };
    case 'valid-round':
      return { ...proposal, validRound: movedRound(validRound ?? proposal.round, chance) };
    case 'fewer':
      return { ...proposal, prevotes: chance.some(proposal.prevotes, 0.7) };
  }
}

function mutatedBlock(host: Host, payload: Uint8Array, memory: Memory, chance: Chance, reading: ChipReading): Uint8Array | undefined {
  const read = readBlock(payload);
  if (read.status === 'malformed' || hex(read.value.header.node) !== host.node) return undefined;
  const { header, transactions } = read.value;
  const kept = chance.happens(0.3) ? chance.some(transactions, 0.5) : transactions;
  const headerBytes = encodeHeader(changedHeader(header, memory, chance));
  const end = host.identity.certifyTime(endQualifier(headerBytes), reading);
  return encodeBlock({ header: headerBytes, end, transactions: [...kept] });
}

function changedHeader(header: Header, memory: Memory, chance: Chance): Header {
  switch (chance.pick(['parent', 'height', 'time', 'state', 'again'] as const)) {
    case 'parent':
      return { ...header, parent: otherValue(memory, chance) };
    case 'height':
      return { ...header, height: Math.max(1, header.height + chance.pick([-1, 1, 1_000])) };
    case 'time':
      return { ...header, timeMs: Math.max(0, header.timeMs + chance.pick([-60_000, -1, 1, 20_000, 3_600_000])) };
    case 'state':
      return { ...header, state: otherValue(memory, chance) };
    case 'again':
      return header;
  }
}

function movedRound(round: number, chance: Chance): number {
  return Math.max(0, round + chance.pick([-1, 1, 1, 2, 60]));
}

function otherValue(memory: Memory, chance: Chance): Uint8Array {
  return memory.values.length === 0 || chance.happens(0.1) ? chance.bytes(32) : chance.pick(memory.values);
}

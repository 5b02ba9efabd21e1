/** Where an order stands on the chain: which box has it, and whether anything is to be done any more. Pure. Specification §15. */
import { hasEnded } from '#protocol/capsule.ts';
import { isFitting } from '#protocol/chain/public-draw.ts';
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import type { Action } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Member } from '#protocol/network.ts';
import { higherLevel } from '#protocol/trust-level.ts';
import type { Executor, Order } from './order.ts';

/** Runtimes that the network has for a gateway, by the box that offers them: none for whoever is no member, or no more. */
export function offeredRuntimes(state: ChainState, gateway: Uint8Array): Map<string, readonly string[]> {
  if (!isMember(gateway, state)) return new Map();
  const offered = [...state.boxes].filter(([, { node }]) => isMember(node, state));
  return new Map(offered.map(([name, { box }]) => [name, box.runtimes]));
}

/** Why no box can be drawn for a capsule now, in words; undefined where one can. */
export function boxLacking({ runtime, trust }: Pick<CapsuleRecord, 'runtime' | 'trust'>, state: ChainState): string | undefined {
  const offered = [...state.boxes.values()].filter(({ node }) => isMember(node, state)).map(({ box }) => box);
  if (offered.some((box) => isFitting(box, { runtime, trust }))) return undefined;
  const levels = offered.filter(({ runtimes }) => runtimes.includes(runtime)).map((box) => box.trust);
  if (levels.length === 0) return `no box with ${runtime} is offered`;
  return `no box with ${runtime} is offered as ${trust} or higher; the highest that is offered is ${levels.reduce(higherLevel)}`;
}

export function isMember(node: Uint8Array, state: ChainState): boolean {
  return state.members.get(hex(node))?.standing === 'member';
}

/** Cards of the members and of those that were: who joined after the founding gives receipts too. */
export function membersIn({ members }: ChainState): Member[] {
  return [...members.values()].filter(({ standing }) => standing !== 'applicant').map(({ member }) => member);
}

/** An end without a receipt that the chain knows of, or of which it can never hear. */
export function isNoMore(order: Order, record: CapsuleRecord | undefined, atMs: number): boolean {
  if (!hasEnded(order.state) || order.receipt !== 'none') return false;
  return record ? record.end !== undefined : atMs - order.acceptedAtMs > LIMITS.submissionAgeMaxMs;
}

/** The last attempt of a capsule, with the key that the chain has of its box now. */
export function drawIn(record: CapsuleRecord, state: ChainState): { readonly attempt: number; readonly executor: Executor } | undefined {
  const last = record.attempts.at(-1);
  const device = last && state.members.get(hex(last.node))?.member.name;
  if (!last || device === undefined) return undefined;
  const key = state.boxes.get(`${hex(last.node)}/${last.box}`)?.box.key;
  return { attempt: record.attempts.length, executor: { node: last.node, device, box: last.box, ...(key ? { key } : {}) } };
}

/** To give up the last attempt ends a capsule as failed, unless its executor says that the run goes on. */
export function withdrawalOf({ capsule, attempt, end }: Order, record: CapsuleRecord | undefined): Action {
  return end?.state === 'failed' && attempt === LIMITS.attemptsMax && record?.answeredHeight === undefined
    ? { action: 'retry', capsule, attempt }
    : { action: 'cancellation', capsule };
}

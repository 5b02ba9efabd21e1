/** The boxes that a member offers to the network, as the chain shall have them. Pure. Specification §11.3, §15.10. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { OfferedBox } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { TrustLevel } from '#protocol/trust-level.ts';
import type { BoxFitness } from '../control/ports.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import { isPresent, type BoxRegistry, type KnownBox, type PairedBox } from './box-registry.ts';

/** What the chain has of the boxes of `node`, in the order of their names. */
export function offersOnChain(node: Uint8Array, state: ChainState): OfferedBox[] {
  const records = [...state.boxes.values()].filter((record) => sameBytes(record.node, node));
  return records.map(({ box }) => box).sort(byName);
}

/** `as-before`: as the chain has it, for a while. */
export type Offering = 'yes' | 'as-before' | 'while-starting' | 'no';

export interface OfferedHow {
  readonly offering: (box: string) => Offering;
  /** By its last measurement, which may be out of date: then it is its own word. */
  readonly level: (box: PairedBox) => TrustLevel;
}

/** A box that is suspect may end its runs, and a run ends with the offer of its box (§15.5, §17.1). */
export function offeringOf(fitness: BoxFitness, hasRuns: boolean): Offering {
  if (fitness === 'ready') return 'yes';
  if (fitness === 'held') return hasRuns ? 'yes' : 'no';
  if (fitness === 'fenced') return 'no';
  return hasRuns ? 'as-before' : 'while-starting';
}

/**
 * The boxes that are paired, present and fit. Just after a start a box that has not spoken yet stays as the chain has it: its
 * next word is due within 15 s.
 * @param times `sinceMs`: start of this program
 */
export function offersOf(
  registry: BoxRegistry,
  onChain: readonly OfferedBox[],
  times: { readonly sinceMs: number; readonly atMs: number },
  { offering, level }: OfferedHow,
): OfferedBox[] {
  const { sinceMs, atMs } = times;
  const starting = atMs - sinceMs <= DEVICE_LIMITS.boxSilenceMaxMs;
  const offered = [...registry.values()].flatMap((box) => {
    const how = offering(box.name);
    if (how === 'yes' && isPresent(box, atMs)) return [offerOf(box, level(box))];
    const unheard = how === 'while-starting' || (how === 'yes' && box.heardAtMs === undefined);
    const stays = how === 'as-before' || (starting && unheard);
    const known = stays ? onChain.find((offer) => isSameBox(offer, box)) : undefined;
    return known ? [known] : [];
  });
  return offered.sort(byName).slice(0, LIMITS.chainBoxesPerMemberMax);
}

export function areSameOffers(left: readonly OfferedBox[], right: readonly OfferedBox[]): boolean {
  return left.map(wordsOf).join(' ') === right.map(wordsOf).join(' ');
}

/** Runtimes that no manifest can name are left out; the others in their order, each once. */
function offerOf({ name, signingKey, hello }: KnownBox, trust: TrustLevel): OfferedBox {
  const names = (hello?.software.runtimes ?? []).map((runtime) => runtime.name);
  const runtimes = [...new Set(names)].filter(
    (runtime) => runtime.length <= LIMITS.nameCharactersMax && /^[a-z][a-z0-9+-]*$/.test(runtime),
  );
  return { name, key: signingKey, trust, runtimes: runtimes.sort().slice(0, LIMITS.chainRuntimesMax) };
}

function isSameBox(offer: OfferedBox, box: KnownBox): boolean {
  return offer.name === box.name && sameBytes(offer.key, box.signingKey);
}

function wordsOf({ name, key, trust, runtimes }: OfferedBox): string {
  return [name, hex(key), trust, ...runtimes].join(',');
}

function byName(left: { name: string }, right: { name: string }): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

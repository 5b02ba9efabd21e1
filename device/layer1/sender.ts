/**
 * How intentions become transactions of one key on one chain: a pure machine. What is to be sent is stored before it is said, one at a time is
 * under way, and all its attempts share one nonce; so it is done once, whatever dies in between. What lacks something is passed over, so that
 * a challenge never waits for a post that can't be paid. Specification §20.8.
 */
import type { Fees, SignedTransaction } from '#contracts/evm.ts';
import { hex } from '#protocol/digest.ts';
import { harmless } from '#protocol/schema.ts';
import { bid, priceOf, raise, type FeeMarket } from './fees.ts';
import {
  byUrgency,
  feesOf,
  isChallenge,
  isEnded,
  isPost,
  isSigned,
  isUnderWay,
  sameIntention,
  storedFees,
  type Intention,
  type Sending,
  type Standing,
  type WAITING,
} from './intention.ts';
import { LAYER1_LIMITS } from './limits.ts';

/** What the operator allows, in wei. */
export interface SenderTerms {
  /** For one unit of gas, tip included. */
  readonly feeCap: bigint;
  /** For fees and value of what is signed in one day (UTC). */
  readonly dayBudget: bigint;
}

/** The chain as its endpoints agree on it, at one block. */
export interface ChainView {
  readonly head: number;
  /** Nothing at or below it is undone. */
  readonly final: number;
  /** Transactions of our key up to the head, and up to the final block. */
  readonly nonce: number;
  readonly finalNonce: number;
  /** In wei. */
  readonly balance: bigint;
  readonly market: FeeMarket;
  /** By the hexadecimal hash of each transaction that was asked for; absent where no block has it. */
  readonly included: ReadonlyMap<string, Inclusion>;
}

export interface Inclusion {
  readonly block: number;
  readonly hash: Uint8Array;
  /** In wei. */
  readonly cost: bigint;
  /** Of one that failed: what the contract says to the same call. */
  readonly failure?: string;
}

export type SenderEvent =
  | { readonly type: 'intended'; readonly intention: Intention; readonly nowMs: number }
  | { readonly type: 'seen'; readonly view: ChainView; readonly nowMs: number }
  | { readonly type: 'not-seen'; readonly why: 'chain-away' | 'endpoints-differ'; readonly nowMs: number }
  | { readonly type: 'tried'; readonly name: string; readonly outcome: Trial; readonly nowMs: number }
  | {
      readonly type: 'signed';
      readonly name: string;
      readonly signing: Signing;
      readonly signed: SignedTransaction;
      readonly nowMs: number;
    };

export interface Signing {
  readonly nonce: number;
  readonly gas: number;
  readonly fees: Fees;
}

/** What the chain says of a call that is not sent. */
export type Trial =
  | { readonly status: 'passes'; readonly gas: number }
  | { readonly status: 'reverts'; readonly words: string }
  | { readonly status: 'unknown'; readonly why: 'chain-away' | 'endpoints-differ' };

/** Done in this order: `say` always comes after the `store` of what is said. `try` and `sign` are answered before another event comes. */
export type SenderEffect =
  | { readonly effect: 'store'; readonly sending: Sending }
  | { readonly effect: 'forget'; readonly name: string }
  | { readonly effect: 'try'; readonly name: string; readonly intention: Intention }
  | { readonly effect: 'sign'; readonly name: string; readonly intention: Intention; readonly signing: Signing }
  | { readonly effect: 'say'; readonly raw: Uint8Array }
  | { readonly effect: 'report'; readonly name: string; readonly standing: Standing };

export interface SenderState {
  readonly terms: SenderTerms;
  readonly sendings: Map<string, Sending>;
  view: ChainView | undefined;
  /** When each raw transaction was last said, by this process. */
  readonly saidAtMs: Map<string, number>;
}

type Why = (typeof WAITING)[number];

const DAY_MS = 86_400_000;

export function startSender(terms: SenderTerms, stored: readonly Sending[]): SenderState {
  const sendings = new Map(stored.map((sending) => [sending.intention.name, sending]));
  return { terms, sendings, view: undefined, saidAtMs: new Map() };
}

export function stepSender(state: SenderState, event: SenderEvent): SenderEffect[] {
  switch (event.type) {
    case 'intended':
      return intended(state, event.intention, event.nowMs);
    case 'seen':
      state.view = event.view;
      return [...settled(state, event.view, event.nowMs), ...forgotten(state, event.nowMs), ...next(state, event.view, event.nowMs)];
    case 'not-seen':
      state.view = undefined;
      return open(state).flatMap((sending) => held(state, sending, event.why, event.nowMs));
    case 'tried':
      return tried(state, event.name, event.outcome, event.nowMs);
    case 'signed':
      return signed(state, event);
  }
}

/** What is asked for again under the same name changes nothing, unless it was refused: then it is a new try. */
function intended(state: SenderState, intention: Intention, nowMs: number): SenderEffect[] {
  const known = state.sendings.get(intention.name);
  if (known && !isEnded(known) && !sameIntention(known.intention, intention))
    throw new Error(`the name ${intention.name} is another intention's`);
  if (known && known.standing.state !== 'refused') return [];
  if (open(state).length >= LAYER1_LIMITS.openMax) throw new Error(`${LAYER1_LIMITS.openMax} intentions are open; more are not taken`);
  const places = [...state.sendings.values()].map(({ place }) => place);
  state.sendings.delete(intention.name);
  const sending: Sending = {
    intention,
    place: Math.max(0, ...places) + 1,
    standing: { state: 'waiting', why: 'turn' },
    attempts: [],
    nonce: 0,
    gas: 0,
    charged: '0',
    lost: known ? String(BigInt(known.lost) + BigInt(known.charged)) : '0',
    day: known?.day ?? 0,
    atMs: nowMs,
  };
  return [...put(state, sending), ...(state.view ? next(state, state.view, nowMs) : [])];
}

/** What the view says of everything that is signed. */
function settled(state: SenderState, view: ChainView, nowMs: number): SenderEffect[] {
  return [...state.sendings.values()].filter(isSigned).flatMap((sending) => {
    const inclusion = sending.attempts.map(({ hash }) => view.included.get(hex(hash))).find((one) => one !== undefined);
    return inclusion ? included(state, sending, inclusion, view, nowMs) : notIncluded(state, sending, view, nowMs);
  });
}

function included(
  state: SenderState,
  sending: Sending,
  { block, hash, cost, failure }: Inclusion,
  view: ChainView,
  nowMs: number,
): SenderEffect[] {
  const isFinal = block <= view.final;
  const value = failure === undefined ? BigInt(sending.intention.value) : 0n;
  const charged = String(cost + value);
  if (failure === undefined) return changed(state, { ...sending, charged }, { state: isFinal ? 'final' : 'included', block, hash }, nowMs);
  const detail = harmless(failure, LAYER1_LIMITS.wordsMax);
  return changed(
    state,
    { ...sending, charged },
    isFinal ? { state: 'refused', reason: 'reverted', detail } : { state: 'failed', block, hash, detail },
    nowMs,
  );
}

/**
 * Not yet, or no longer: what a reorganisation undid is under way again. A nonce that is used for good by something else ends it; its charge
 * stays, for that none of what was said is in a block is the word of endpoints alone.
 */
function notIncluded(state: SenderState, sending: Sending, view: ChainView, nowMs: number): SenderEffect[] {
  if (view.finalNonce > sending.nonce) {
    const detail = `another transaction of this key has the nonce ${sending.nonce}`;
    return changed(state, { ...sending, charged: String(mostOf(sending)) }, { state: 'refused', reason: 'displaced', detail }, nowMs);
  }
  if (isUnderWay(sending)) return held(state, sending, undefined, nowMs);
  for (const { hash } of sending.attempts) state.saidAtMs.delete(hex(hash));
  return changed(
    state,
    { ...sending, charged: String(mostOf(sending)) },
    { state: sending.attempts.length > 1 ? 'bumped' : 'sent' },
    nowMs,
  );
}

/** One at a time, the most urgent first: what is under way is pressed, or the next one is begun. @param passed over just now; those after it are left */
function next(state: SenderState, view: ChainView, nowMs: number, passed?: Sending): SenderEffect[] {
  const underWay = open(state).filter(isUnderWay);
  if (underWay.length > 0) return underWay.flatMap((sending) => pressed(state, sending, view, nowMs));
  const [first, ...others] = waiting(state).filter((sending) => !passed || byUrgency(passed, sending) < 0);
  if (!first) return [];
  if (bid(view.market, state.terms.feeCap) === undefined)
    return [first, ...others].flatMap((sending) => held(state, sending, 'dear', nowMs));
  // A chain tries no call whose value its sender has not.
  if (BigInt(first.intention.value) > view.balance) return passedOver(state, first, 'funds', view, nowMs);
  return [{ effect: 'try', name: first.intention.name, intention: first.intention }];
}

function passedOver(state: SenderState, sending: Sending, why: Why, view: ChainView, nowMs: number): SenderEffect[] {
  return [...held(state, sending, why, nowMs), ...next(state, view, nowMs, sending)];
}

/** Said again after a while, by a higher fee after a longer one. */
function pressed(state: SenderState, sending: Sending, view: ChainView, nowMs: number): SenderEffect[] {
  const last = sending.attempts.at(-1);
  if (!last || view.nonce > sending.nonce) return []; // the nonce is used in a block that is not final
  const saidAtMs = state.saidAtMs.get(hex(last.hash));
  const again = saidAtMs === undefined || nowMs - saidAtMs >= LAYER1_LIMITS.sayAgainMs ? say(state, last, nowMs) : [];
  if (nowMs - sending.atMs < LAYER1_LIMITS.bumpAfterMs || sending.attempts.length >= LAYER1_LIMITS.attemptsMax) return again;
  const fees = raise(feesOf(last.fees), view.market, state.terms.feeCap);
  if (fees === undefined) return [...held(state, sending, 'dear', nowMs), ...again];
  const lacking = lackingFor(state, sending, view, priceOf(fees), nowMs);
  if (lacking !== undefined) return [...held(state, sending, lacking, nowMs), ...again];
  return [signing(sending, { nonce: sending.nonce, gas: sending.gas, fees })];
}

function tried(state: SenderState, name: string, outcome: Trial, nowMs: number): SenderEffect[] {
  const sending = state.sendings.get(name);
  if (!sending || !state.view || sending.standing.state !== 'waiting') return [];
  if (outcome.status === 'unknown') return passedOver(state, sending, outcome.why, state.view, nowMs);
  if (outcome.status === 'reverts') {
    const detail = harmless(outcome.words, LAYER1_LIMITS.wordsMax);
    const refused = changed(state, sending, { state: 'refused', reason: 'would-revert', detail }, nowMs);
    return [...refused, ...next(state, state.view, nowMs, sending)];
  }
  const gas = outcome.gas + Math.ceil(outcome.gas / 4); // the state that it meets may be another
  if (gas > LAYER1_LIMITS.gasMax) {
    const detail = `it needs ${gas} gas; a transaction has ${LAYER1_LIMITS.gasMax} at most`;
    const refused = changed(state, sending, { state: 'refused', reason: 'too-much-gas', detail }, nowMs);
    return [...refused, ...next(state, state.view, nowMs, sending)];
  }
  const fees = bid(state.view.market, state.terms.feeCap);
  if (fees === undefined) return held(state, sending, 'dear', nowMs);
  const lacking = lackingFor(state, { ...sending, gas }, state.view, priceOf(fees), nowMs);
  if (lacking !== undefined) return passedOver(state, sending, lacking, state.view, nowMs);
  return [signing(sending, { nonce: state.view.nonce, gas, fees })];
}

function signing({ intention }: Sending, what: Signing): SenderEffect {
  return { effect: 'sign', name: intention.name, intention, signing: what };
}

/** From here on it is ours to finish: stored first, then said. */
function signed(state: SenderState, event: Extract<SenderEvent, { readonly type: 'signed' }>): SenderEffect[] {
  const {
    name,
    signing: { nonce, gas, fees },
    signed: { raw, hash },
    nowMs,
  } = event;
  const sending = state.sendings.get(name);
  if (!sending) return [];
  const attempt = { hash, raw, fees: storedFees(fees) };
  const attempts = [...sending.attempts, attempt];
  const day = dayOf(nowMs);
  const grown = { ...sending, attempts, nonce, gas, day, lost: day === sending.day ? sending.lost : '0' };
  const standing: Standing = { state: attempts.length > 1 ? 'bumped' : 'sent' };
  const own = changed(state, { ...grown, charged: String(mostOf(grown)) }, standing, nowMs);
  const turns = waiting(state).flatMap((other) => held(state, other, 'turn', nowMs));
  return [...own, ...say(state, attempt, nowMs), ...turns];
}

function say(state: SenderState, { hash, raw }: Sending['attempts'][number], nowMs: number): SenderEffect[] {
  state.saidAtMs.set(hex(hash), nowMs);
  return [{ effect: 'say', raw }];
}

/** What is too little for this price: today's budget, or what the key has. */
function lackingFor(state: SenderState, sending: Sending, view: ChainView, price: bigint, nowMs: number): Why | undefined {
  const cost = BigInt(sending.gas) * price + BigInt(sending.intention.value);
  const others = [...state.sendings.values()].map((one) =>
    one.intention.name === sending.intention.name ? { ...one, charged: '0' } : one,
  );
  if (spentOn(others, nowMs) + cost > budgetFor(state, sending)) return 'budget';
  return cost > view.balance ? 'funds' : undefined;
}

/** A post leaves a part of the day to challenges; one that is under way before a challenge takes of it as well, for it must be in a block first. */
function budgetFor(state: SenderState, sending: Sending): bigint {
  const { dayBudget } = state.terms;
  const isInTheWay = isUnderWay(sending) && waiting(state).some(isChallenge);
  return isPost(sending) && !isInTheWay ? dayBudget - dayBudget / LAYER1_LIMITS.challengesPart : dayBudget;
}

/** What is signed on the day of this moment, and not known to have cost less; in wei. */
export function spentOn(sendings: readonly Sending[], nowMs: number): bigint {
  const today = sendings.filter(({ day }) => day === dayOf(nowMs));
  return today.reduce((sum, { charged, lost }) => sum + BigInt(lost) + BigInt(charged), 0n);
}

/** What its dearest attempt can cost. */
function mostOf({ attempts, gas, intention }: Sending): bigint {
  const prices = attempts.map(({ fees }) => BigInt(gas) * BigInt(fees.price));
  return prices.reduce((most, cost) => (cost > most ? cost : most), 0n) + BigInt(intention.value);
}

/** A new reason to wait, or none; the time of its last change stays, by which its fee is raised. */
function held(state: SenderState, sending: Sending, why: Why | undefined, nowMs: number): SenderEffect[] {
  const { standing } = sending;
  if (standing.state === 'waiting') return changed(state, sending, { state: 'waiting', why: why ?? 'turn' }, nowMs);
  if (standing.state !== 'sent' && standing.state !== 'bumped') return [];
  return changed(state, sending, { state: standing.state, ...(why && { held: why }) }, sending.atMs);
}

function changed(state: SenderState, sending: Sending, standing: Standing, atMs: number): SenderEffect[] {
  const before = state.sendings.get(sending.intention.name);
  if (before && sameStanding(before.standing, standing) && before.attempts === sending.attempts) return [];
  return put(state, { ...sending, standing, atMs });
}

function put(state: SenderState, sending: Sending): SenderEffect[] {
  const { name } = sending.intention;
  state.sendings.set(name, sending);
  return [
    { effect: 'store', sending },
    { effect: 'report', name, standing: sending.standing },
  ];
}

function forgotten(state: SenderState, nowMs: number): SenderEffect[] {
  const old = [...state.sendings.values()].filter((sending) => isEnded(sending) && nowMs - sending.atMs > LAYER1_LIMITS.rememberedMs);
  return old.map(({ intention: { name } }) => {
    state.sendings.delete(name);
    return { effect: 'forget', name };
  });
}

function open({ sendings }: SenderState): Sending[] {
  return [...sendings.values()].filter((sending) => !isEnded(sending));
}

function waiting(state: SenderState): Sending[] {
  return open(state)
    .filter(({ standing }) => standing.state === 'waiting')
    .toSorted(byUrgency);
}

function sameStanding(left: Standing, right: Standing): boolean {
  const inBlock = (standing: Standing): string => ('hash' in standing ? hex(standing.hash) : '');
  const why = (standing: Standing): string => ('why' in standing ? standing.why : 'held' in standing ? (standing.held ?? '') : '');
  return left.state === right.state && inBlock(left) === inBlock(right) && why(left) === why(right);
}

function dayOf(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS);
}

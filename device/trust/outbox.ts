/** What one step wants done, in its order: the disk, then what others hear, then the chip. Pure. Specification §14.4. */
import type { TrustEffect, TrustReport } from './events.ts';
import { TRUST_LIMITS } from './limits.ts';
import type { TrustState } from './state.ts';

const ORDER: readonly TrustEffect['effect'][] = ['forgetVotes', 'keepVotes', 'broadcast', 'submit', 'ask', 'report', 'wakeAt'];

/** The latest record of a decision says all that earlier ones of this step say. */
export function flush(effects: readonly TrustEffect[]): TrustEffect[] {
  const latest = new Map(effects.flatMap((effect) => (effect.effect === 'keepVotes' ? [[effect.instance.toHex(), effect] as const] : [])));
  const kept = effects.filter((effect) => effect.effect !== 'keepVotes' || latest.get(effect.instance.toHex()) === effect);
  return ORDER.flatMap((word) => kept.filter(({ effect }) => effect === word));
}

/** @returns whether it was not said before */
export function reportOnce(state: TrustState, key: string, report: TrustReport): boolean {
  if (!isNews(state, key)) return false;
  state.outbox.push({ effect: 'report', report });
  return true;
}

/** Whether it was not told before; from now on it was. */
export function isNews({ told }: TrustState, key: string): boolean {
  if (told.has(key)) return false;
  rememberIn(told, key, TRUST_LIMITS.toldMax);
  return true;
}

/** Forgets what is oldest when it is full. */
export function rememberIn(set: Set<string>, key: string, max: number): void {
  set.add(key);
  const [oldest] = set;
  if (set.size > max && oldest !== undefined) set.delete(oldest);
}

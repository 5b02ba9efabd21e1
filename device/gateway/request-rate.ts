/** How often a client may have news said again: each answer waits at the broker for whoever reads slowly. Pure. Specification §7.5. */
import { DEVICE_LIMITS } from '../limits.ts';

interface Allowance {
  readonly requests: number;
  readonly atMs: number;
}

/** By client: what is left of the burst, and when that was reckoned. Clients that have not asked for long have it all. */
export type RequestRates = ReadonlyMap<string, Allowance>;

/** Whether a client may ask now, and what is left to it and the others afterwards. */
export function takeRequest(
  rates: RequestRates,
  client: string,
  atMs: number,
): { readonly allowed: boolean; readonly rates: RequestRates } {
  const left = regained(rates.get(client), atMs);
  const allowed = left >= 1;
  const waiting = [...rates].filter(([, allowance]) => regained(allowance, atMs) < DEVICE_LIMITS.queryBurst);
  return { allowed, rates: new Map([...waiting, [client, { requests: allowed ? left - 1 : left, atMs }]]) };
}

function regained(allowance: Allowance | undefined, atMs: number): number {
  if (!allowance) return DEVICE_LIMITS.queryBurst;
  const since = Math.max(0, atMs - allowance.atMs);
  return Math.min(DEVICE_LIMITS.queryBurst, allowance.requests + (since * DEVICE_LIMITS.queriesPerSecond) / 1_000);
}

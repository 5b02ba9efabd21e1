/**
 * What is bid for gas: by what the chain asks now, never above the operator's cap; and how a bid is raised so that nodes take the new transaction
 * for the old one. Pure. EIP-1559. Specification §20.8. All in wei.
 */
import type { Fees } from '#contracts/evm.ts';

/** What the chain asks now. */
export interface FeeMarket {
  /** Of the next block, at least; absent where the chain has none. */
  readonly baseFee?: bigint | undefined;
  /** What endpoints offer as tip, or as price where there is no base fee. */
  readonly offered: bigint;
}

/** @returns undefined where the chain is dearer than the cap */
export function bid({ baseFee, offered }: FeeMarket, feeCap: bigint): Fees | undefined {
  if (baseFee === undefined) return offered <= feeCap ? { market: 'legacy', gasPrice: offered } : undefined;
  const needed = baseFee + offered;
  if (needed > feeCap) return undefined;
  return { market: 'base-fee', maxFeePerGas: least(feeCap, needed + baseFee), maxPriorityFeePerGas: offered };
}

/** At least an eighth more in each part: nodes ask for a tenth. @returns undefined where that is above the cap */
export function raise(old: Fees, market: FeeMarket, feeCap: bigint): Fees | undefined {
  const now = bid(market, feeCap);
  if (now === undefined) return undefined;
  const raised =
    old.market === 'legacy' || now.market === 'legacy'
      ? { market: 'legacy' as const, gasPrice: most(anEighthMore(priceOf(old)), priceOf(now)) }
      : {
          market: 'base-fee' as const,
          maxFeePerGas: most(anEighthMore(old.maxFeePerGas), now.maxFeePerGas),
          maxPriorityFeePerGas: most(anEighthMore(old.maxPriorityFeePerGas), now.maxPriorityFeePerGas),
        };
  return priceOf(raised) <= feeCap ? raised : undefined;
}

/** The most that a unit of gas can cost under this bid. */
export function priceOf(fees: Fees): bigint {
  return fees.market === 'legacy' ? fees.gasPrice : fees.maxFeePerGas;
}

function anEighthMore(price: bigint): bigint {
  return (price * 9n) / 8n + 1n;
}

function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

function most(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}

/** What a device may pay on layer 1, as its operator writes it into `configuration.json`. Pure. Specification §20.8. */
import { integer, struct, type Infer } from '#protocol/schema.ts';
import type { SenderTerms } from './sender.ts';

/** In gwei, of which the chain's coin has 10^9, so that a number holds it. */
export const Spending = struct({
  /** For one unit of gas, tip included. */
  feeCapGwei: integer({ min: 1, max: 1_000_000 }),
  /** For fees and value of what is signed in one day (UTC), on each chain. */
  dayBudgetGwei: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});
export type Spending = Infer<typeof Spending>;

const WEI_PER_GWEI = 10n ** 9n;

export function senderTerms({ feeCapGwei, dayBudgetGwei }: Spending): SenderTerms {
  return { feeCap: BigInt(feeCapGwei) * WEI_PER_GWEI, dayBudget: BigInt(dayBudgetGwei) * WEI_PER_GWEI };
}

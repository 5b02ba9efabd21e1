/** Amounts of a chain's coin as people read and write them, and what it costs at most to put contracts there. */
import type { PlannedContract } from '#contracts/planned-contract.ts';
import { UsageError } from '../arguments.ts';

const DIGITS = 18;
export const GWEI = 10n ** 9n;
export const COIN = 10n ** 18n;

/** `0.0021 coin`: four digits that say something. */
export function coinText(wei: bigint): string {
  const [whole, part] = [wei / COIN, (wei % COIN).toString().padStart(DIGITS, '0')];
  const shown = whole > 0n ? part.slice(0, 4) : part.slice(0, part.search(/[1-9]/) + 4);
  return `${whole}${`.${shown}`.replace(/\.?0*$/, '')} coin`;
}

export function gweiText(wei: bigint): string {
  return `${Number((wei * 1_000n) / GWEI) / 1_000} gwei`;
}

/** `0x` and 40 digits. @throws UsageError */
export function addressIn(option: string, words: string): Uint8Array {
  if (!/^0x[0-9a-fA-F]{40}$/.test(words)) throw new UsageError(`${option} is "${words}"; an address is 0x and 40 hexadecimal digits`);
  return Uint8Array.fromHex(words.slice(2));
}

/** What the factory's transaction uses at most (EIP-2028, EIP-3860, EIP-170's charge for code), with what the largest constructor does. */
export function creationGasMost({ data }: Pick<PlannedContract, 'data'>): number {
  const [transaction, creation, constructor] = [21_000, 32_000, 700_000]; // P-256 in Solidity twice, to see whether it is judged
  const [calldata, kept, words] = [16, 200, Math.ceil(data.length / 32) * 2];
  return transaction + creation + constructor + words + data.length * (calldata + kept);
}

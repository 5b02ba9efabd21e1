/** What a contract said when it refused, as people read it: `OtherEpoch(given 7, wanted 8)`. */
import type { Abi } from './abi.ts';
import { decodeError } from './evm.ts';

/** @param abis of the contracts that may have said it; bytes that are none of their errors are given as they are */
export function errorWords(abis: readonly Abi[], data: Uint8Array): string {
  for (const abi of abis) {
    const error = decodeError<Abi>(abi, data) as { readonly name: string; readonly values: object } | undefined;
    if (error) return `${error.name}(${Object.entries(error.values).map(valueWords).join(', ')})`;
  }
  return data.toHex();
}

function valueWords([name, value]: [string, unknown]): string {
  return `${name} ${value instanceof Uint8Array ? `0x${value.toHex()}` : String(value)}`;
}

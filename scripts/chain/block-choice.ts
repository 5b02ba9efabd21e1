/** How a person names a block: a height, the beginning of an id, `latest`, `final`. */
import type { BlockChoice } from '#protocol/chain/chain-view.ts';
import { UsageError } from '../arguments.ts';

export type NamedBlock = 'latest' | 'final' | BlockChoice;

/** @throws UsageError for what names no block */
export function readBlockName(word: string): NamedBlock {
  if (word === 'latest' || word === 'final') return word;
  if (/^[0-9]{1,15}$/.test(word)) return ofHeight(Number(word));
  const prefix = word.replace(/^0x/, '').toLowerCase();
  if (/^[0-9a-f]{4,64}$/.test(prefix)) return { by: 'id', prefix };
  if (/^[0-9a-f]{1,3}$/.test(prefix)) throw new UsageError(`"${word}" is too short for an id: give at least 4 digits of it`);
  throw new UsageError(`"${word}" names no block: give a height, an id (at least its first 4 hexadecimal digits), latest or final`);
}

function ofHeight(height: number): BlockChoice {
  if (height === 0) throw new UsageError('height 0 is the genesis, which the network file holds; blocks begin at height 1');
  return { by: 'height', height };
}

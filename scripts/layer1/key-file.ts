/** The key of an operator who pays: a file with 64 hexadecimal digits that nobody else may read. What it holds is in no message. */
import { readFileSync, statSync } from 'node:fs';
import { addressOfKey } from '#contracts/evm.ts';
import type { PayingKey } from '../../device/layer1/paying-key.ts';
import { UsageError } from '../arguments.ts';

const FILE_BYTES_MAX = 1_024;

/** @throws UsageError in a sentence that doesn't quote the file */
export function readKeyFile(file: string): PayingKey {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) throw new UsageError(`--key: there is no file ${file}; it holds the key that pays, 64 hexadecimal digits`);
  if ((found.mode & 0o077) !== 0) throw new UsageError(`--key: others may read ${file}; take that away first: chmod 600 ${file}`);
  const words = found.size <= FILE_BYTES_MAX ? readFileSync(file, 'utf8').trim().replace(/^0x/, '') : '';
  if (!/^[0-9a-fA-F]{64}$/.test(words)) throw new UsageError(`--key: ${file} doesn't hold a key: 64 hexadecimal digits, and nothing else`);
  const secret = Uint8Array.fromHex(words);
  return { secret, address: addressOfKey(secret) };
}

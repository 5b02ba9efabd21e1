/** How the commands of `tpm` print: a table for people, JSON for programs; always whose TPM it is, and whether it is a program. */
import process from 'node:process';

import type { TpmDescription } from '../../device/tpm/capability.ts';
import { harmless, openTerminal, table } from '../terminal.ts';
import type { Owner } from './connection.ts';

export type Rows = readonly (readonly [string, string])[];

/** @param json what programs get; bytes are hexadecimal, large integers decimal text */
export function report(
  { kind, owner }: Pick<TpmDescription, 'kind'> & { readonly owner: Owner },
  wantsJson: boolean,
  rows: Rows,
  json: Readonly<Record<string, unknown>>,
): void {
  if (wantsJson) {
    process.stdout.write(`${JSON.stringify({ kind, ...owner, ...json }, plain, 2)}\n`);
    return;
  }
  const terminal = openTerminal(process.stdout, process.env);
  if (kind === 'software-tpm') {
    terminal.line(
      terminal.paint('warning', 'software-tpm: a program plays this TPM; its keys and its time are worth what its host is worth'),
    );
  }
  const shown: Rows = owner ? [['device', `${owner.device} of ${owner.state}`], ...rows] : rows;
  terminal.line(table(shown.map(([name, value]) => [terminal.paint('quiet', name), harmless(value)])));
}

function plain(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return value.toHex();
  return typeof value === 'bigint' ? String(value) : value;
}

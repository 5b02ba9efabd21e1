/** A file that is there as a whole or not at all, even when the power goes: written beside its place, then renamed. */
import { renameSync, writeFileSync } from 'node:fs';

export function writeWholeFile(file: string, content: string | Uint8Array, mode: 0o600 | 0o644): void {
  const draft = `${file}.new`;
  writeFileSync(draft, content, { mode, flush: true });
  renameSync(draft, file);
}

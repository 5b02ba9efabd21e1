/** Whether a box reports the same software after a run as before it. Specification §6.3. */
import { SoftwareState } from './box-messages.ts';
import { encodeStrict } from './codec.ts';
import { blobDigest, hex } from './digest.ts';

/** SHA-256 of the strict form: what a box says during a run, and what its TPM quotes (§6.5). */
export function softwareDigest(software: SoftwareState): Uint8Array {
  return blobDigest(encodeStrict(SoftwareState, software));
}

/** The names of the fields that differ; none when the software is the same. */
export function softwareChanges(before: SoftwareState, after: SoftwareState): string[] {
  return (Object.keys(before) as (keyof SoftwareState)[]).filter((field) => printed(before[field]) !== printed(after[field]));
}

/** Injective: a comma in a name must not look like the end of it. */
function printed(value: unknown): string {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return `[${value.map(printed).join(',')}]`;
  if (typeof value === 'object' && value !== null) return `{${Object.values(value).map(printed).join(',')}}`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

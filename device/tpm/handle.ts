/**
 * Handles: what names a key, a session, an NV index, a PCR or a hierarchy in a call of the binding (ESYS_TR).
 *
 * Numbers of keys, NV indexes and sessions are given out by the addon, never twice, and checked by it: a number that was
 * flushed, belongs to another context or has another kind is refused. Constants: tss2_esys.h.
 */

declare const brand: unique symbol;
type Branded<Kind extends string> = number & { readonly [brand]: Kind };

/** A loaded key, persistent or transient. */
export type KeyHandle = Branded<'key'>;
export type NvHandle = Branded<'nv'>;
export type SessionHandle = Branded<'session'>;
export type HierarchyHandle = Branded<'hierarchy'>;
/** 0 to 23. */
export type PcrHandle = Branded<'pcr'>;
export type PasswordHandle = Branded<'password'>;
export type NoHandle = Branded<'none'>;

/** Whatever has an authorisation value. */
export type AuthorityHandle = KeyHandle | NvHandle | HierarchyHandle | PcrHandle;
/** Whatever was opened by this context and can be flushed or closed. */
export type OpenHandle = KeyHandle | NvHandle | SessionHandle;
/** What may stand in a session slot of a command. */
export type Authorization = SessionHandle | PasswordHandle | NoHandle;

export const none = 0xfff as NoHandle;
/** Shows the authorisation value in clear: for values that are empty. */
export const password = 0x0ff as PasswordHandle;

export const hierarchies = {
  owner: 0x101 as HierarchyHandle,
  null: 0x107 as HierarchyHandle,
  lockout: 0x10a as HierarchyHandle,
  endorsement: 0x10b as HierarchyHandle,
  platform: 0x10c as HierarchyHandle,
} as const;

/** Handle in the chip's own numbering, 0x81000000 to 0x81ffffff: where a key stays over resets (Part 2 section 7.2). */
export type PersistentHandle = Branded<'persistent'>;

/** @throws RangeError where the number is no persistent handle */
export function persistentHandle(number: number): PersistentHandle {
  if (Number.isInteger(number) && number >= 0x81000000 && number <= 0x81ffffff) return number as PersistentHandle;
  throw new RangeError(`0x${number.toString(16)} is no persistent handle; 0x81000000 to 0x81ffffff are`);
}

/** @throws RangeError where a PC Client TPM has no such register */
export function pcrHandle(index: number): PcrHandle {
  if (Number.isInteger(index) && index >= 0 && index < 24) return index as PcrHandle;
  throw new RangeError(`PCR ${index} does not exist; 0 to 23 do`);
}

/** A key to work with: by its place in the chip, or by the handle of one that is loaded. */
export type KeyReference = PersistentHandle | KeyHandle;

export function isPersistent(key: KeyReference): key is PersistentHandle {
  return key >= 0x81000000;
}

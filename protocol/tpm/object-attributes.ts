/** TPMA_OBJECT, what a key may do and where it may live. TPM 2.0 Part 2 section 8.3. */
import { flags, type ValueOf } from './wire.ts';

const bits = {
  fixedTPM: 1,
  stClear: 2,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  userWithAuth: 6,
  adminWithPolicy: 7,
  noDA: 10,
  encryptedDuplication: 11,
  restricted: 16,
  decrypt: 17,
  sign: 18,
  x509sign: 19,
} as const;

export type ObjectAttribute = keyof typeof bits;
export const objectAttributesField = flags<ObjectAttribute>(bits);
export type ObjectAttributes = ValueOf<typeof objectAttributesField>;

const names = Object.keys(bits) as ObjectAttribute[];

/** Attributes with exactly these set. */
export function objectAttributes(...set: ObjectAttribute[]): ObjectAttributes {
  return Object.fromEntries(names.map((name) => [name, set.includes(name)])) as ObjectAttributes;
}

/** Names of the attributes in which the two differ, in the order of their bits. */
export function differingAttributes(left: ObjectAttributes, right: ObjectAttributes): ObjectAttribute[] {
  return names.filter((name) => left[name] !== right[name]);
}

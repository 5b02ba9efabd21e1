/** What the TPM remembers of pairing windows: which are open, and how many attempts each has had. Pure. Specification §5.6. */
import { MQTT_LIMITS } from '../limits.ts';

/** Attempts by the id of a window in hexadecimal, and of {@link STRANGERS}. */
export type Tally = ReadonlyMap<string, number>;

/** Where attempts at windows that are not open are counted together. */
export const STRANGERS = '0000000000000000';

/** A window's id as the TPM remembers it: 64 random bits. */
export const TALLY_ID_BYTES = 8;

const VERSION = 1;
const SLOT_BYTES = TALLY_ID_BYTES + 1;

/** A version, then for each of the most windows and the strangers an id and a count; unused slots are zero. */
export const TALLY_BYTES = 1 + SLOT_BYTES * (MQTT_LIMITS.pairingWindowsMax + 1);

/** @throws RangeError for more windows than there is room for */
export function encodeTally(tally: Tally): Uint8Array {
  const encoded = new Uint8Array(TALLY_BYTES);
  encoded[0] = VERSION;
  const windows = [...tally].filter(([id]) => id !== STRANGERS);
  const slots: [string, number][] = [[STRANGERS, tally.get(STRANGERS) ?? 0], ...windows];
  for (const [index, [id, count]] of slots.entries()) {
    encoded.set(Uint8Array.fromHex(id), 1 + index * SLOT_BYTES);
    encoded.set([Math.min(count, 0xff)], 1 + index * SLOT_BYTES + TALLY_ID_BYTES);
  }
  return encoded;
}

/** Nothing is open where the bytes are none of ours. */
export function decodeTally(encoded: Uint8Array): Tally {
  if (encoded.length !== TALLY_BYTES || encoded[0] !== VERSION) return new Map();
  const slots = Array.from({ length: MQTT_LIMITS.pairingWindowsMax + 1 }, (_, index) =>
    encoded.subarray(1 + index * SLOT_BYTES, 1 + (index + 1) * SLOT_BYTES),
  );
  if (slots[0]?.subarray(0, TALLY_ID_BYTES).toHex() !== STRANGERS) return new Map();
  return new Map(
    slots.flatMap((slot, index): [string, number][] => {
      const [id, count] = [slot.subarray(0, TALLY_ID_BYTES).toHex(), slot[TALLY_ID_BYTES] ?? 0];
      return index === 0 || id !== STRANGERS ? [[id, count]] : [];
    }),
  );
}

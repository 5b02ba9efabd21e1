/** Attempts at pairing windows, counted in the TPM before anybody gets an answer. Specification §5.6. */
import type { NvPublic } from '#protocol/tpm/nv-public.ts';
import { hasTpmCode } from '../tpm/error.ts';
import { nvDefine, nvRead, nvReadPublic, nvUndefine, nvWrite } from '../tpm/nv.ts';
import type { Tpm } from '../tpm/tpm.ts';
import { decodeTally, encodeTally, STRANGERS, TALLY_BYTES, TALLY_ID_BYTES, type Tally } from './attempt-tally.ts';

/** Runs an operation on the device's TPM. */
export type AskTpm = <T>(operation: (tpm: Tpm) => Promise<T>) => Promise<T>;

/** In the range that the TCG leaves to owners (Registry of Reserved TPM 2.0 Handles, section 2.2.2). */
export const PAIRING_NV_INDEX = 0x0180ca50;

/** Not orderly, so that a count stands before the command returns; empty authorisation: who reaches the TPM owns the device. */
const nvPublic: NvPublic = {
  index: PAIRING_NV_INDEX,
  nameAlgorithm: 'sha256',
  attributes: {
    ...{ ppWrite: false, ownerWrite: false, authWrite: true, policyWrite: false },
    ...{ typeCounter: false, typeBits: false, typeExtend: false, typePin: false, policyDelete: false },
    ...{ writeLocked: false, writeAll: false, writeDefine: false, writeStClear: false, globalLock: false },
    ...{ ppRead: false, ownerRead: false, authRead: true, policyRead: false, noDA: true },
    ...{ orderly: false, clearStClear: false, readLocked: false, written: false, platformCreate: false, readStClear: false },
  },
  authPolicy: new Uint8Array(),
  dataBytes: TALLY_BYTES,
};

/** What stands in the TPM is the truth; the copy here follows it. */
export class AttemptCounter {
  readonly #ask: AskTpm;
  #tally: Tally;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(ask: AskTpm, tally: Tally) {
    this.#ask = ask;
    this.#tally = tally;
  }

  static async open(ask: AskTpm): Promise<AttemptCounter> {
    return new AttemptCounter(ask, decodeTally((await ask(readIndex)) ?? new Uint8Array()));
  }

  /** Attempts in an open window, or `undefined` for one that the TPM doesn't know. @param window its id */
  attemptsIn(window: Uint8Array): number | undefined {
    return this.#tally.get(slotOf(window));
  }

  /** Lets a window be open, without attempts; those at windows that are not open begin anew, too. */
  admit(window: Uint8Array): Promise<void> {
    return this.#change((tally) => tally.set(slotOf(window), 0).set(STRANGERS, 0));
  }

  /** Counts one attempt; resolves with its number when the TPM has it. @param window absent for one that is not open */
  async count(window: Uint8Array | undefined): Promise<number> {
    const slot = window ? slotOf(window) : STRANGERS;
    let number = 0;
    await this.#change((tally) => tally.set(slot, (number = (tally.get(slot) ?? 0) + 1)));
    return number;
  }

  /** Forgets all windows but these: a forgotten one is never open again. */
  async keepOnly(windows: readonly Uint8Array[]): Promise<void> {
    const kept = new Set([STRANGERS, ...windows.map(slotOf)]);
    if ([...this.#tally.keys()].every((slot) => kept.has(slot))) return;
    await this.#change((tally) => {
      for (const slot of tally.keys()) if (!kept.has(slot)) tally.delete(slot);
    });
  }

  #change(change: (tally: Map<string, number>) => unknown): Promise<void> {
    const turn = this.#turn.then(async () => {
      const next = new Map(this.#tally);
      change(next);
      const bytes = encodeTally(next);
      await this.#ask((tpm) => writeIndex(tpm, bytes));
      this.#tally = next;
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function slotOf(window: Uint8Array): string {
  return window.subarray(0, TALLY_ID_BYTES).toHex();
}

async function readIndex(tpm: Tpm): Promise<Uint8Array | undefined> {
  try {
    return await nvRead(tpm, PAIRING_NV_INDEX);
  } catch (error) {
    if (hasTpmCode(error, 'nvUninitialized')) return undefined;
    throw error;
  }
}

async function writeIndex(tpm: Tpm, bytes: Uint8Array): Promise<void> {
  const known = await nvReadPublic(tpm, PAIRING_NV_INDEX);
  const fits = known?.nvPublic.dataBytes === TALLY_BYTES;
  if (known && !fits) await nvUndefine(tpm, { hierarchy: 'owner', index: PAIRING_NV_INDEX });
  if (!fits) await nvDefine(tpm, { hierarchy: 'owner', nvPublic });
  await nvWrite(tpm, { index: PAIRING_NV_INDEX, bytes });
}

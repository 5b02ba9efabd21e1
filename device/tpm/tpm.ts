/**
 * A TPM in use: one connection, given to one operation at a time.
 *
 * A chip has three slots for keys and three for sessions, so an operation has the chip to itself from its first command
 * to its last, and leaves nothing loaded. The wrappers of this folder take a `Tpm`; each is one operation.
 */
import { loadAddon } from '../addon.ts';
import { unsized } from './answer.ts';
import { isTpmError, type TpmError } from './error.ts';
import type { Esys } from './esys.ts';
import { isPersistent, none, type KeyHandle, type KeyReference, type OpenHandle, type PersistentHandle } from './handle.ts';

/** The chip during one operation. */
export interface Chip {
  readonly esys: Esys;
  /** Handle of a key for this operation. @throws TpmError where no key is there */
  readonly resolve: (key: KeyReference) => Promise<KeyHandle>;
  /** Key that salts sessions, checked against its pinned name. @throws Error where none is pinned or another one is there */
  readonly requireSaltKey: () => Promise<KeyHandle>;
  /** Drops what was remembered of a persistent handle that is about to change. */
  readonly forget: (key: PersistentHandle) => Promise<void>;
}

/** More than one device ever asks for at a time; whoever reaches it asks faster than a chip can answer. */
const operationsWaitingMax = 256;

/**
 * Connects to a TPM that has been started up, as the kernel's driver and `startSoftwareTpm` do.
 * @param tcti `device:/dev/tpmrm0`, `swtpm:path=…`; nothing is guessed
 * @throws TpmError where no TPM answers there
 */
export async function openTpm(tcti: string): Promise<Tpm> {
  return new Tpm(tcti, await loadAddon().open(tcti));
}

/** Runs `work` with something loaded, and flushes it whatever happens. */
export async function withLoaded<H extends OpenHandle, T>(chip: Chip, handle: H, work: (handle: H) => Promise<T>): Promise<T> {
  try {
    return await work(handle);
  } finally {
    await flush(chip, handle);
  }
}

/** What is gone already, evicted or lost with its connection, must not hide why. */
async function flush(chip: Chip, handle: OpenHandle): Promise<void> {
  await chip.esys.FlushContext(handle).catch(ignoreTpmError);
}

/** Whether what is remembered of persistent handles may be void: the connection was lost, now or unnoticed before. */
function voidsHandles({ contextLost, layer }: TpmError): boolean {
  return contextLost || layer === 'addon';
}

function ignoreTpmError(error: unknown): void {
  if (!isTpmError(error)) throw error;
}

export class Tpm {
  readonly tcti: string;
  readonly #esys: Esys;
  readonly #chip: Chip;
  readonly #persistent = new Map<PersistentHandle, KeyHandle>();
  #saltKey: { key: PersistentHandle; name: Uint8Array } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(tcti: string, esys: Esys) {
    this.tcti = tcti;
    this.#esys = esys;
    this.#chip = {
      esys,
      resolve: (key) => this.#resolve(key),
      requireSaltKey: () => this.#requireSaltKey(),
      forget: (key) => this.#forget(key),
    };
  }

  /**
   * Runs an operation when all earlier ones are done.
   * Inside it, other wrappers that take a `Tpm` must not be awaited: they would wait for this one.
   */
  async exclusive<T>(operation: (chip: Chip) => Promise<T>): Promise<T> {
    if (this.#waiting >= operationsWaitingMax) {
      throw new Error(`${operationsWaitingMax} operations wait for the TPM already; wait for some of them`);
    }
    this.#waiting += 1;
    const result = this.#last.then(() => this.#perform(operation));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /**
   * Names the key that salts sessions, from the moment it is trusted: only who holds its private part can read what
   * such a session carries, so a key put in its place on the bus must not be used.
   * @param name as `readPersistentKey` gives it
   */
  pinSaltKey(key: PersistentHandle, name: Uint8Array): void {
    this.#saltKey = { key, name: name.slice() };
  }

  /** Waits for what was begun, leaves nothing loaded in the chip, and refuses everything later. */
  async close(): Promise<void> {
    await this.#last;
    await this.#esys.close();
  }

  async #perform<T>(operation: (chip: Chip) => Promise<T>): Promise<T> {
    this.#waiting -= 1;
    try {
      return await operation(this.#chip);
    } catch (error) {
      if (isTpmError(error) && voidsHandles(error)) this.#persistent.clear();
      throw error;
    }
  }

  async #resolve(key: KeyReference): Promise<KeyHandle> {
    if (!isPersistent(key)) return key;
    const known = this.#persistent.get(key);
    if (known !== undefined) return known;
    const handle = (await this.#esys.TR_FromTPMPublic(key, none, none, none)) as KeyHandle;
    this.#persistent.set(key, handle);
    return handle;
  }

  async #forget(key: PersistentHandle): Promise<void> {
    const handle = this.#persistent.get(key);
    if (handle === undefined) return;
    this.#persistent.delete(key);
    await this.#esys.TR_Close(handle).catch(ignoreTpmError);
  }

  async #requireSaltKey(): Promise<KeyHandle> {
    if (this.#saltKey === undefined)
      throw new Error('No key for salted sessions is pinned; call pinSaltKey with a key whose name is known');
    const handle = await this.#resolve(this.#saltKey.key);
    const name = unsized(await this.#esys.TR_GetName(handle));
    if (name.toHex() === this.#saltKey.name.toHex()) return handle;
    throw new Error(
      `The key at 0x${this.#saltKey.key.toString(16)} has the name ${name.toHex()}; ${this.#saltKey.name.toHex()} was pinned`,
    );
  }
}

/** Capsules whose files the device does not have yet: offered until it does, and the device reminded after a lost connection. */
import type { OfferedBlob, Offers } from './offers.ts';

export interface Upload {
  readonly blobs: readonly OfferedBlob[];
  /** Bytes given out, of all bytes of the capsule. The device doesn't ask for what it has. */
  readonly onUpload?: ((bytes: number, total: number) => void) | undefined;
  /** Submits the capsule once more, so that the device asks again. */
  readonly remind: () => void;
}

export class Uploads {
  readonly #offers: Offers;
  readonly #running = new Map<string, { readonly remind: () => void; readonly withdraw: () => void }>();

  constructor(offers: Offers) {
    this.#offers = offers;
  }

  /** @throws ClientFailure `too-many` */
  begin(capsule: string, { blobs, onUpload, remind }: Upload): void {
    this.end(capsule);
    const total = blobs.reduce((sum, blob) => sum + blob.bytes, 0);
    const ends = new Map<OfferedBlob, number>();
    const served = (blob: OfferedBlob, end: number): void => {
      ends.set(blob, Math.max(end, ends.get(blob) ?? 0));
      onUpload?.(
        [...ends.values()].reduce((sum, bytes) => sum + bytes, 0),
        total,
      );
    };
    this.#offers.add(blobs, served);
    this.#running.set(capsule, { remind, withdraw: () => this.#offers.withdraw(blobs, served) });
  }

  /** The device has all files, or will not have the capsule. */
  end(capsule: string): void {
    this.#running.get(capsule)?.withdraw();
    this.#running.delete(capsule);
  }

  remindAll(): void {
    for (const { remind } of this.#running.values()) remind();
  }

  close(): void {
    for (const capsule of [...this.#running.keys()]) this.end(capsule);
  }
}

/** Logs that evidence has named, kept in memory until the device has fetched them: those of the last few answers. Specification §6.5. */
import { createHash } from 'node:crypto';
import type { BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import { partLog, type PartedLog } from '#protocol/measured-box/log-parts.ts';
import { logAnswersKept } from '../limits.ts';

export class KeptLogs {
  /** Newest first. */
  #answers: readonly (readonly PartedLog[])[] = [];

  /** @returns as evidence names them */
  keep(boot: Uint8Array, ima: Uint8Array): Pick<BoxTpmEvidence, 'bootLog' | 'imaLog'> {
    const [bootLog, imaLog] = [partLog(boot, sha256), partLog(ima, sha256)];
    this.#answers = [[bootLog, imaLog], ...this.#answers].slice(0, logAnswersKept);
    return { bootLog: bootLog.reference, imaLog: imaLog.reference };
  }

  /** A list of parts or a part, by its digest. */
  piece(digest: Uint8Array): Uint8Array | undefined {
    for (const log of this.#answers.flat()) {
      if (isSame(log.reference.digest, digest)) return log.list;
      const part = log.parts.find((known) => isSame(known.digest, digest));
      if (part) return part.content;
    }
    return undefined;
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

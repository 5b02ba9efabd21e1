/** Which TPM a box has and where its logs lie: `tpm.json` in the agent's state folder, by the box's operator. Specification §6.5. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { decodeJson } from '#protocol/codec.ts';
import { optional, struct, text, type Infer } from '#protocol/schema.ts';
import { readIfThere } from '../atomic-file.ts';

const FilePath = text({ min: 1, max: 4_096 });

export const BoxTpmConfiguration = struct({
  /** In the words of tpm2-tss. */
  tcti: text({ min: 3, max: 255 }),
  bootLog: optional(FilePath),
  imaLog: optional(FilePath),
});
export type BoxTpmConfiguration = Infer<typeof BoxTpmConfiguration>;

/** Where Linux shows them, to root alone. */
export const KERNEL_LOGS = {
  bootLog: '/sys/kernel/security/tpm0/binary_bios_measurements',
  imaLog: '/sys/kernel/security/ima/binary_runtime_measurements',
} as const;

const FILE = 'tpm.json';
const DEVICE = '/dev/tpmrm0';
const BYTES_MAX = 16_384;

/**
 * What the operator says, or the kernel's TPM where there is one; undefined of a box without.
 * @throws Error that names the file and what is wrong with it
 */
export async function readTpmConfiguration(stateFolder: string): Promise<BoxTpmConfiguration | undefined> {
  const file = path.join(stateFolder, FILE);
  const content = await readIfThere(file);
  if (!content) return existsSync(DEVICE) ? { tcti: `device:${DEVICE}` } : undefined;
  const decoded = decodeJson(BoxTpmConfiguration, content, BYTES_MAX);
  if (decoded.status === 'malformed') throw Object.assign(new Error(`${file}: ${decoded.detail}`), { code: 'tpm-configuration' });
  return decoded.value;
}

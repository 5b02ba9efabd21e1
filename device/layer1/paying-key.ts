/**
 * The key that pays for transactions: secp256k1, made here, sealed in the TPM to the software that is measured now. It is opened when the program
 * starts and stands nowhere else. Specification §20.8, §3.3.
 */
import { createECDH } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { addressOfKey } from '#contracts/evm.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { MEASURED_PCRS } from '#protocol/measured-boot.ts';
import { bytes, fixedBytes, struct } from '#protocol/schema.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { StateError, type StateFile } from '../identity/state-file.ts';
import { hasTpmCode } from '../tpm/error.ts';
import type { PersistentHandle } from '../tpm/handle.ts';
import { pcrPolicy } from '../tpm/policy.ts';
import { seal, unseal } from '../tpm/sealed.ts';
import type { Tpm } from '../tpm/tpm.ts';

export interface PayingKey {
  readonly address: Uint8Array;
  /** 32 bytes; whoever has closed the sender wipes them. */
  readonly secret: Uint8Array;
}

export type OpenedKey =
  | { readonly status: 'opened' | 'made'; readonly key: PayingKey }
  /** What lies at the address opens again only under the software that made it. */
  | { readonly status: 'other-software'; readonly address: Uint8Array };

/** Of its file: what a TPM gives of a sealed secret, twice the most that was seen. */
export const PAYING_KEY_BYTES_MAX = 4_096;

const Wrapped = bytes({ min: 1, max: 1_024 });
const Record = struct({ address: fixedBytes(20), privateArea: Wrapped, publicArea: Wrapped });

const selection = selectPcrs('sha256', [MEASURED_PCRS.software]);

/**
 * Opens the key, or makes it where there is none yet; one that doesn't open is kept.
 * @param parent the chip's storage key
 * @throws StateError where the file is not ours, TpmError where the chip fails
 */
export async function openPayingKey(tpm: Tpm, file: StateFile, parent: PersistentHandle): Promise<OpenedKey> {
  const stored = await file.load();
  if (stored === undefined) return { status: 'made', key: await makeKey(tpm, file, parent) };
  const decoded = decodeStrict(Record, stored, stored.length);
  if (decoded.status === 'malformed') throw new StateError(file.path, decoded.detail);
  const { address, ...sealed } = decoded.value;
  try {
    return { status: 'opened', key: { address, secret: await unseal(tpm, { parent, sealed, policy: { selection } }) } };
  } catch (error) {
    if (hasTpmCode(error, 'policyFailed')) return { status: 'other-software', address };
    throw error;
  }
}

/** Where to pay to: the address stands open beside the sealed key. @returns undefined where there is none yet. @throws StateError where the file is not ours */
export function payingAddressIn(path: string): Uint8Array | undefined {
  if (!existsSync(path)) return undefined;
  const decoded = decodeStrict(Record, readFileSync(path), PAYING_KEY_BYTES_MAX);
  if (decoded.status === 'malformed') throw new StateError(path, decoded.detail);
  return decoded.value.address;
}

/** On the disk before anybody can pay to its address. */
async function makeKey(tpm: Tpm, file: StateFile, parent: PersistentHandle): Promise<PayingKey> {
  const pair = createECDH('secp256k1');
  pair.generateKeys();
  const secret = new Uint8Array(32);
  const drawn = pair.getPrivateKey(); // without leading zeros
  secret.set(drawn, secret.length - drawn.length);
  drawn.fill(0);
  const address = addressOfKey(secret);
  const { privateArea, publicArea } = await seal(tpm, { parent, policy: await pcrPolicy(tpm, selection), secret });
  await file.save(encodeStrict(Record, { address, privateArea, publicArea }));
  return { address, secret };
}

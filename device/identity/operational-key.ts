/**
 * The operational key: Ed25519 in software, because a chip gives two to five signatures a second. It is made once per
 * reset of the TPM and sealed to the registers that show it, so that it survives a restart of the program and nothing
 * else. Specification §3.1. TPM 2.0 Part 3 section 23.7 (PolicyPCR).
 */
import { createHash, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import type { Registers } from '#protocol/measured-boot.ts';
import { MEASURED_PCRS } from '#protocol/measured-boot.ts';
import { PcrSelection, selectPcrs } from '#protocol/tpm/pcr-selection.ts';

import { keyHandles, type WrappedKey } from '../tpm/keys.ts';
import { seal, unseal } from '../tpm/sealed.ts';
import type { Tpm } from '../tpm/tpm.ts';

export const measuredSelection: PcrSelection = selectPcrs('sha256', [MEASURED_PCRS.operationalKey, MEASURED_PCRS.software]);

/** A new key. `seed` is secret: it is to be sealed and then wiped. */
export function generateOperationalKey(): { readonly publicKey: Uint8Array; readonly seed: Uint8Array } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  return { publicKey: fromBase64url(x), seed: fromBase64url(d) };
}

/** Seals a seed to what the registers will hold once everything is measured. */
export async function sealOperationalKey(tpm: Tpm, seed: Uint8Array, registers: Registers): Promise<WrappedKey> {
  return seal(tpm, { parent: keyHandles.storageKey, policy: registersPolicy(registers), secret: seed });
}

export class OperationalKey {
  readonly publicKey: Uint8Array;
  readonly #privateKey: KeyObject;

  private constructor(publicKey: Uint8Array, privateKey: KeyObject) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  /** @throws TpmError where the registers are not those that it was sealed to */
  static async open(tpm: Tpm, publicKey: Uint8Array, sealed: WrappedKey): Promise<OperationalKey> {
    const seed = await unseal(tpm, { parent: keyHandles.storageKey, sealed, policy: { selection: measuredSelection } });
    const jwk = { kty: 'OKP', crv: 'Ed25519', d: base64url(seed), x: base64url(publicKey) };
    seed.fill(0);
    return new OperationalKey(publicKey, createPrivateKey({ key: jwk, format: 'jwk' }));
  }

  /** 64 bytes, RFC 8032. */
  sign(input: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, input, this.#privateKey));
  }
}

const policyPcr = Uint8Array.of(0x00, 0x00, 0x01, 0x7f); // TPM_CC_PolicyPCR

/** Digest of PolicyPCR for values that the registers don't have yet. */
function registersPolicy({ pcr8, pcr14 }: Registers): Uint8Array {
  const values = createHash('sha256').update(pcr8).update(pcr14).digest();
  const digest = createHash('sha256')
    .update(new Uint8Array(32))
    .update(policyPcr)
    .update(PcrSelection.encode(measuredSelection))
    .update(values);
  return new Uint8Array(digest.digest());
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
}

function fromBase64url(words: string): Uint8Array {
  return Uint8Array.fromBase64(words, { alphabet: 'base64url' });
}

/**
 * Signatures by keys of the chip over bytes from outside.
 * TPM 2.0 Part 3 sections 15.4 (Hash), 20.1 (VerifySignature) and 20.2 (Sign); Part 1 section 25.4 (restricted keys).
 */
import { sized, unsized } from './answer.ts';
import { hierarchies, type KeyReference } from './handle.ts';
import { emptyPassword, unauthorized } from './session.ts';
import type { Tpm } from './tpm.ts';

const sha256 = 0x000b;
/** TPMT_SIG_SCHEME TPM_ALG_NULL: as the key's public area says. */
const ownScheme = Uint8Array.of(0x00, 0x10);

/** What one TPM2_Hash takes on every chip (TPM_PT_INPUT_BUFFER is at least 1,024). */
const messageBytesMax = 1024;

/**
 * Signs SHA-256 of a message with a restricted key: the chip hashes the message itself and refuses what looks like an
 * attestation of its own.
 * @param request.message at most 1,024 bytes, not beginning with TPM_GENERATED (ff544347)
 * @returns TPMT_SIGNATURE
 */
export async function signWithRestrictedKey(tpm: Tpm, request: { signer: KeyReference; message: Uint8Array }): Promise<Uint8Array> {
  if (request.message.length > messageBytesMax) {
    throw new RangeError(`The message is ${request.message.length} bytes; a restricted key signs at most ${messageBytesMax} at once`);
  }
  return tpm.exclusive(async ({ esys, resolve }) => {
    const signer = await resolve(request.signer);
    const [digest, ticket] = await esys.Hash(...unauthorized, sized(request.message), sha256, hierarchies.endorsement);
    return esys.Sign(signer, ...emptyPassword, digest, ownScheme, ticket);
  });
}

/** TPM2_GetRandom, in as many pieces as the chip wants. @param bytes at most 64 */
export async function tpmRandom(tpm: Tpm, bytes: number): Promise<Uint8Array> {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > 64) throw new RangeError(`${bytes} random bytes are asked for; 1 to 64 can be`);
  return tpm.exclusive(async ({ esys }) => {
    const random = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const piece = unsized(await esys.GetRandom(...unauthorized, bytes - at));
      if (piece.length === 0) throw new Error('The TPM gave no random bytes');
      random.set(piece, at);
      at += piece.length;
    }
    return random;
  });
}

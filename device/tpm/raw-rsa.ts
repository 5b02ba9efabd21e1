/**
 * The raw RSA operation of an unrestricted decryption key without a scheme: m = c^d mod n.
 * TPM 2.0 Part 3 section 14.3 (RSA_Decrypt with TPM_ALG_NULL); it is the private step of RFC 9381 section 4.1.
 */
import { sized, unsized } from './answer.ts';
import type { KeyReference } from './handle.ts';
import { emptyPassword } from './session.ts';
import type { Tpm } from './tpm.ts';

/** TPMT_RSA_DECRYPT TPM_ALG_NULL: no padding. */
const noPadding = Uint8Array.of(0x00, 0x10);

/**
 * @param request.encoded as long as the modulus and smaller than it
 * @returns as long as the modulus: the VRF proof, when `encoded` is the encoded message of RFC 9381
 */
export async function rawRsaDecrypt(tpm: Tpm, request: { key: KeyReference; encoded: Uint8Array }): Promise<Uint8Array> {
  return tpm.exclusive(async ({ esys, resolve }) => {
    const key = await resolve(request.key);
    const result = unsized(await esys.RSA_Decrypt(key, ...emptyPassword, sized(request.encoded), noPadding, sized(new Uint8Array())));
    return padded(result, request.encoded.length);
  });
}

/** A chip may leave out leading zeros. */
function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(bytes, length - bytes.length);
  return whole;
}

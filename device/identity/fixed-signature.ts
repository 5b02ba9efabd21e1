/** ECDSA signatures of a TPM in the form in which they travel: r ‖ s, 64 bytes. Specification §2.6. */
import { Signature } from '#protocol/tpm/signature.ts';

import { requireDecoded } from '../tpm/answer.ts';

/** @param encoded TPMT_SIGNATURE by a P-256 key; some chips leave out leading zeros */
export function fixedSignature(encoded: Uint8Array): Uint8Array {
  const signature = requireDecoded(Signature, encoded);
  if (signature.scheme !== 'ecdsa') throw new Error(`The TPM signed with ${signature.scheme}; its attestation key is for ECDSA`);
  const fixed = new Uint8Array(64);
  fixed.set(signature.r, 32 - signature.r.length);
  fixed.set(signature.s, 64 - signature.s.length);
  return fixed;
}

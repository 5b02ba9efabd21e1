/** Names and qualified names of TPM entities. TPM 2.0 Part 1 sections 14 (Names) and 25.5 (qualified names). */
import { concatBytes } from '@noble/hashes/utils.js';
import type { Crypto } from '../crypto.ts';
import { algorithmIdentifier, digestWith } from './algorithm.ts';
import { NvPublic } from './nv-public.ts';
import { PublicArea } from './public-area.ts';

/** Handle of the endorsement hierarchy, TPM_RH_ENDORSEMENT: the qualified name of its root. */
export const endorsementHierarchy: Uint8Array = Uint8Array.of(0x40, 0x00, 0x00, 0x0b);

/** Name = nameAlg ‖ H(TPMT_PUBLIC). */
export function nameOf(crypto: Crypto, publicArea: PublicArea): Uint8Array {
  return named(crypto, publicArea.nameAlgorithm, PublicArea.encode(publicArea));
}

/** Name of an NV index = nameAlg ‖ H(TPMS_NV_PUBLIC). */
export function nameOfNvIndex(crypto: Crypto, nvPublic: NvPublic): Uint8Array {
  return named(crypto, nvPublic.nameAlgorithm, NvPublic.encode(nvPublic));
}

/**
 * QN = nameAlg ‖ H(QN of the parent ‖ Name).
 * @param parentQualifiedName a hierarchy's handle for a primary object
 * @param name 2 + digest bytes, as `nameOf` gives it
 */
export function qualifiedName(crypto: Crypto, parentQualifiedName: Uint8Array, object: PublicArea): Uint8Array {
  return named(crypto, object.nameAlgorithm, concatBytes(parentQualifiedName, nameOf(crypto, object)));
}

function named(crypto: Crypto, hash: 'sha256' | 'sha384' | 'sha512', bytes: Uint8Array): Uint8Array {
  const identifier = algorithmIdentifier(hash);
  return concatBytes(Uint8Array.of(identifier >> 8, identifier & 0xff), digestWith(crypto, hash, bytes));
}

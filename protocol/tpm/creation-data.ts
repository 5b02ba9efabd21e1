/** TPMS_CREATION_DATA, the circumstances in which a key was made. TPM 2.0 Part 2 section 15.1. */
import { LIMITS } from '../limits.ts';
import { algorithm } from './algorithm.ts';
import { pcrSelectionField } from './pcr-selection.ts';
import { sized, sizedBytes, struct, structure, u8, type ValueOf } from './wire.ts';

const name = sizedBytes(LIMITS.tpmNameBytesMax);

const creationData = struct({
  pcrSelection: pcrSelectionField,
  pcrDigest: sizedBytes(LIMITS.tpmDigestBytesMax),
  locality: u8,
  parentNameAlgorithm: algorithm('sha256', 'sha384', 'sha512', 'null'),
  parentName: name,
  parentQualifiedName: name,
  outsideInfo: sizedBytes(LIMITS.tpmDataBytesMax),
});

export type CreationData = ValueOf<typeof creationData>;

/** TPMS_CREATION_DATA: what creationHash is the hash of. */
export const CreationData = structure('TPMS_CREATION_DATA', LIMITS.tpmStructureBytesMax, creationData);
export const SizedCreationData = structure('TPM2B_CREATION_DATA', LIMITS.tpmStructureBytesMax, sized(creationData));

/** What a box with a TPM shows of it, as declared messages. Pure. Specification §6.5. */
import { sameBytes } from '../codec.ts';
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, list, optional, struct, type Infer } from '../schema.ts';
import { BOX_PCRS, type BoxRegisters } from './registers.ts';

const PublicAreaBytes = bytes({ min: 1, max: 512 });

/** TPMT_PUBLIC of endorsement and attestation key; the endorsement key's certificate first, then one above it, DER. */
export const BoxKeys = struct({
  endorsementKey: PublicAreaBytes,
  attestationKey: PublicAreaBytes,
  certificates: list(bytes({ min: 1, max: LIMITS.certificateBytesMax }), { max: 2 }),
});
export type BoxKeys = Infer<typeof BoxKeys>;

/** A TPM is its endorsement key; a new attestation key is activated anew. */
export function isSameTpm(left: BoxKeys, right: BoxKeys): boolean {
  return sameBytes(left.endorsementKey, right.endorsementKey);
}

export function isSameKeys(left: BoxKeys, right: BoxKeys): boolean {
  return isSameTpm(left, right) && sameBytes(left.attestationKey, right.attestationKey);
}

/** TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET of TPM2_MakeCredential. */
export const ClosedSecret = struct({ blob: bytes({ min: 1, max: 256 }), secret: bytes({ min: 1, max: 514 }) });
export type ClosedSecret = Infer<typeof ClosedSecret>;

/** A log in parts of `LIMITS.logPartBytes`; `digest` is that of the list of their digests, and names that list as a blob. */
function logReference(bytesMax: number) {
  return struct({ bytes: integer({ min: 0, max: bytesMax }), digest: Digest });
}

export const BoxTpmEvidence = struct({
  /** TPMS_ATTEST and TPMT_SIGNATURE of TPM2_Quote. */
  quote: bytes({ min: 1, max: 512 }),
  signature: bytes({ min: 1, max: 128 }),
  /** Contents of `BOX_PCRS`, in their order. */
  registers: list(Digest, { min: BOX_PCRS.length, max: BOX_PCRS.length }),
  bootLog: logReference(LIMITS.bootLogBytesMax),
  /** 0 bytes: the kernel measures no files. */
  imaLog: logReference(LIMITS.imaLogBytesMax),
  /** D(`box-activation`, opened secret, network id, nonce), where the challenge had a closed one. */
  activated: optional(Digest),
});
export type BoxTpmEvidence = Infer<typeof BoxTpmEvidence>;
export type LogReference = BoxTpmEvidence['bootLog'];

export function registersOf({ registers }: BoxTpmEvidence): BoxRegisters {
  return new Map(BOX_PCRS.map((pcr, index) => [pcr, registers[index] ?? new Uint8Array()]));
}

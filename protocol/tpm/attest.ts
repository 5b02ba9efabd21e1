/** TPMS_ATTEST, what a TPM signs about itself. TPM 2.0 Part 2 section 10.12. */
import { LIMITS } from '../limits.ts';
import { hashAlgorithm } from './algorithm.ts';
import { clockInfoField, timeInfoField } from './clock-info.ts';
import { pcrSelectionField } from './pcr-selection.ts';
import { constant, sizedBytes, struct, structure, u16, u32, u64, variants, word, yesNo, type Decoded, type ValueOf } from './wire.ts';

/** TPM_GENERATED_VALUE: a restricted key signs nothing from outside that begins with it (Part 1 section 23.3). */
export const tpmGenerated = 0xff544347;

const digest = sizedBytes(LIMITS.tpmDigestBytesMax);
const name = sizedBytes(LIMITS.tpmNameBytesMax);
const data = sizedBytes(LIMITS.tpmDataBytesMax);

const attestationKind = word(u16, {
  nv: 0x8014,
  commandAudit: 0x8015,
  sessionAudit: 0x8016,
  certify: 0x8017,
  quote: 0x8018,
  time: 0x8019,
  creation: 0x801a,
  nvDigest: 0x801c,
});
export type AttestationKind = ValueOf<typeof attestationKind>;

/** `clockInfo` and `firmwareVersion` are obfuscated unless the signer is in the endorsement or platform hierarchy. */
const common = { qualifiedSigner: name, extraData: data, clockInfo: clockInfoField, firmwareVersion: u64 };

const attest = struct({
  magic: constant(u32, tpmGenerated),
  body: variants('kind', attestationKind, {
    nv: struct({ ...common, attested: struct({ indexName: name, offset: u16, contents: sizedBytes(LIMITS.tpmNvBytesMax) }) }),
    commandAudit: struct({
      ...common,
      attested: struct({ auditCounter: u64, hash: hashAlgorithm, auditDigest: digest, commandDigest: digest }),
    }),
    sessionAudit: struct({ ...common, attested: struct({ exclusive: yesNo, sessionDigest: digest }) }),
    certify: struct({ ...common, attested: struct({ name, qualifiedName: name }) }),
    quote: struct({ ...common, attested: struct({ pcrSelection: pcrSelectionField, pcrDigest: digest }) }),
    time: struct({ ...common, attested: struct({ timeInfo: timeInfoField, firmwareVersion: u64 }) }),
    creation: struct({ ...common, attested: struct({ objectName: name, creationHash: digest }) }),
    nvDigest: struct({ ...common, attested: struct({ indexName: name, contentsDigest: digest }) }),
  }),
});

export type Attest = ValueOf<typeof attest>;
export type AttestBody<Kind extends AttestationKind> = Extract<Attest['body'], { kind: Kind }>;

/** Decodes bytes that have the magic value; what has not is `invalid-value`. */
export const Attest = structure('TPMS_ATTEST', LIMITS.tpmStructureBytesMax, attest);

export type AttestOf<Kind extends AttestationKind> =
  | { status: 'decoded'; value: AttestBody<Kind> }
  | { status: 'malformed'; reason: 'malformed' | 'not-tpm-generated' | 'other-kind'; detail: string };

/** Magic and kind first: before these two are known, nothing in the bytes means anything. */
export function decodeAttestOf<Kind extends AttestationKind>(kind: Kind, bytes: Uint8Array): AttestOf<Kind> {
  if (!beginsWithMagic(bytes)) {
    return { status: 'malformed', reason: 'not-tpm-generated', detail: 'the signed bytes do not begin with TPM_GENERATED (ff544347)' };
  }
  return ofKind(kind, Attest.decode(bytes));
}

function beginsWithMagic(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0x54 && bytes[2] === 0x43 && bytes[3] === 0x47;
}

function ofKind<Kind extends AttestationKind>(kind: Kind, decoded: Decoded<Attest>): AttestOf<Kind> {
  if (decoded.status === 'malformed') return { status: 'malformed', reason: 'malformed', detail: decoded.detail };
  const { body } = decoded.value;
  if (body.kind !== kind) {
    return { status: 'malformed', reason: 'other-kind', detail: `the signed bytes attest ${body.kind}; ${kind} is expected` };
  }
  return { status: 'decoded', value: body as AttestBody<Kind> };
}

/**
 * What a key of the chip attests: registers, time, other keys, how a key was made, the contents of an NV index.
 * TPM 2.0 Part 3 sections 18.2 (Certify), 18.3 (CertifyCreation), 18.4 (Quote), 18.7 (GetTime), 31.16 (NV_Certify).
 *
 * Everybody checks the results with protocol/tpm; the scheme is always the signing key's own.
 */
import { PcrSelection } from '#protocol/tpm/pcr-selection.ts';

import { sized, unsized } from './answer.ts';
import { hierarchies, none, password, type KeyReference } from './handle.ts';
import type { CreatedKey } from './keys.ts';
import { withNvIndex } from './nv.ts';
import { emptyPassword, twoEmptyPasswords } from './session.ts';
import type { Tpm } from './tpm.ts';

export interface Attestation {
  /** TPMS_ATTEST: the bytes that are signed. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/** What every attestation takes. */
export interface AttestationRequest {
  /** The key that signs, whose authorisation value is empty. */
  readonly signer: KeyReference;
  /** At most 66 bytes that the attestation will carry. */
  readonly qualifyingData: Uint8Array;
}

/** TPM2_Quote. An inactive bank gives an empty selection, not an error: look at what was attested. */
export async function quote(tpm: Tpm, request: AttestationRequest & { selection: PcrSelection }): Promise<Attestation> {
  return tpm.exclusive(async ({ esys, resolve }) => {
    const signer = await resolve(request.signer);
    return attestation(
      await esys.Quote(signer, ...emptyPassword, sized(request.qualifyingData), ownScheme, PcrSelection.encode(request.selection)),
    );
  });
}

/** TPM2_GetTime: the certified time, in ms since the chip got power. */
export async function getTime(tpm: Tpm, request: AttestationRequest): Promise<Attestation> {
  return tpm.exclusive(async ({ esys, resolve }) => {
    const signer = await resolve(request.signer);
    return attestation(await esys.GetTime(hierarchies.endorsement, signer, ...twoEmptyPasswords, sized(request.qualifyingData), ownScheme));
  });
}

/** TPM2_Certify: that `subject` is in this chip, by its name and qualified name. */
export async function certify(tpm: Tpm, request: AttestationRequest & { subject: KeyReference }): Promise<Attestation> {
  return tpm.exclusive(async ({ esys, resolve }) => {
    const [subject, signer] = [await resolve(request.subject), await resolve(request.signer)];
    return attestation(await esys.Certify(subject, signer, ...twoEmptyPasswords, sized(request.qualifyingData), ownScheme));
  });
}

/** TPM2_CertifyCreation: that this chip made `subject` with the creation data of `created`. */
export async function certifyCreation(
  tpm: Tpm,
  request: AttestationRequest & { subject: KeyReference; created: Pick<CreatedKey, 'creationHash' | 'creationTicket'> },
): Promise<Attestation> {
  const { creationHash, creationTicket } = request.created;
  return tpm.exclusive(async ({ esys, resolve }) => {
    const [subject, signer] = [await resolve(request.subject), await resolve(request.signer)];
    return attestation(
      await esys.CertifyCreation(
        signer,
        subject,
        ...emptyPassword,
        sized(request.qualifyingData),
        sized(creationHash),
        ownScheme,
        creationTicket,
      ),
    );
  });
}

/**
 * TPM2_NV_Certify: the contents of a part of an NV index, with its name.
 * @param request.bytes at most what the chip takes at once, TPM_PT_NV_BUFFER_MAX
 */
export async function nvCertify(
  tpm: Tpm,
  request: AttestationRequest & { index: number; bytes: number; offset: number },
): Promise<Attestation> {
  return tpm.exclusive(async (chip) => {
    const signer = await chip.resolve(request.signer);
    return withNvIndex(chip, request.index, async ({ handle, reader }) =>
      attestation(
        await chip.esys.NV_Certify(
          signer,
          reader,
          handle,
          password,
          password,
          none,
          sized(request.qualifyingData),
          ownScheme,
          request.bytes,
          request.offset,
        ),
      ),
    );
  });
}

/** TPMT_SIG_SCHEME TPM_ALG_NULL: as the key's public area says. */
const ownScheme = Uint8Array.of(0x00, 0x10);

function attestation([attest, signature]: [Uint8Array, Uint8Array]): Attestation {
  return { attest: unsized(attest), signature };
}

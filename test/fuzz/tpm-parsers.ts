/**
 * Fuzz targets of the TPM parsers and judgements: foreign bytes never make them throw, and what is decoded encodes to
 * the same bytes, so that every value has one form.
 */
import assert from 'node:assert/strict';
import { decodeCertificate, ecdsaSignatureOf } from '#protocol/tpm/certificate.ts';
import { judgeCertification, judgeCreation, judgeVrfKey } from '#protocol/tpm/certified-key.ts';
import { judgeCertifiedTime } from '#protocol/tpm/certified-time.ts';
import { Attest } from '#protocol/tpm/attest.ts';
import { judgeAttestationKey } from '#protocol/tpm/attestation-key.ts';
import { TimeInfo } from '#protocol/tpm/clock-info.ts';
import { CreationData, SizedCreationData } from '#protocol/tpm/creation-data.ts';
import { CredentialBlob, EncryptedSecret } from '#protocol/tpm/credential-blob.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { NvPublic, SizedNvPublic } from '#protocol/tpm/nv-public.ts';
import { PcrSelection, selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { PublicArea, SizedPublicArea } from '#protocol/tpm/public-area.ts';
import { judgeQuote } from '#protocol/tpm/quote.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { SizedBuffer } from '#protocol/tpm/sized-buffer.ts';
import * as templates from '#protocol/tpm/templates.ts';
import type { Structure } from '#protocol/tpm/wire.ts';
import {
  attestationKey,
  captured,
  crypto,
  endorsementKey,
  hex,
  policy,
  qualifyingData,
  quoteOf,
  signed,
  vectors,
  vrfKey,
} from '../unit/tpm/captured.ts';

export interface FuzzTarget {
  name: string;
  /** Proper inputs, from which mutations start. */
  seeds: Uint8Array[];
  /** Throws an AssertionError where the rule is broken. */
  run: (bytes: Uint8Array) => void;
}

const signedCaptures = [captured.quote, captured.time, captured.certify, captured.certifyCreation, ...Object.values(captured.attacks)];
const publicAreas = [
  ...[captured.endorsementKey, captured.attestationKey, captured.vrfKey].map(hex),
  ...[templates.storageKeyTemplate, templates.eccEndorsementKeyTemplate].map((template) => PublicArea.encode(template)),
  PublicArea.encode(keyedHash()),
  PublicArea.encode(symCipher()),
];
const rsaSignatures = (['rsassa', 'rsapss'] as const).map((scheme) =>
  Signature.encode({ scheme, hash: 'sha256', signature: new Uint8Array(256) }),
);
const nvPublic = NvPublic.encode(counterIndex());
const { cases } = vectors('certificates.json') as { cases: { certificate: string }[] };
const certificates = [captured.certificate, captured.root, cases[0]!.certificate, cases[3]!.certificate].map(hex);
const ecdsaDer = hex(
  '304402200102030405060708091011121314151617181920212223242526272829303132022001020304050607080910111213141516171819202122232425262728293031ff',
);

const quote = quoteOf(captured.quote);
const creation = { ...signed(captured.certifyCreation), creationData: hex(captured.creationData) };
const keys = { attestationKey: attestationKey(), endorsementKey: endorsementKey(), vrfKey: vrfKey() };
const ofSize = (bytes: Uint8Array) => SizedBuffer.encode(bytes);

export const tpmParsers: FuzzTarget[] = [
  roundTrip(PublicArea, publicAreas),
  roundTrip(SizedPublicArea, publicAreas.map(ofSize)),
  roundTrip(
    Attest,
    signedCaptures.map(({ attestation }) => hex(attestation)).filter((bytes) => bytes[3] === 0x47),
  ),
  roundTrip(Signature, [...signedCaptures.map(({ signature }) => hex(signature)), ...rsaSignatures]),
  roundTrip(PcrSelection, [PcrSelection.encode(selectPcrs('sha256', [8, 14])), PcrSelection.encode([])]),
  roundTrip(TimeInfo, [TimeInfo.encode({ time: 1n, clockInfo: { clock: 2n, resetCount: 3, restartCount: 4, safe: true } })]),
  roundTrip(NvPublic, [nvPublic]),
  roundTrip(SizedNvPublic, [ofSize(nvPublic)]),
  roundTrip(CreationData, [hex(captured.creationData)]),
  roundTrip(SizedCreationData, [ofSize(hex(captured.creationData))]),
  roundTrip(CredentialBlob, [CredentialBlob.encode({ integrityHmac: new Uint8Array(32), encryptedIdentity: new Uint8Array(34) })]),
  roundTrip(EncryptedSecret, [EncryptedSecret.encode(new Uint8Array(256))]),
  roundTrip(SizedBuffer, [ofSize(qualifyingData)]),
  { name: 'X.509 certificate', seeds: certificates, run: (bytes) => void decodeCertificate(bytes) },
  { name: 'ECDSA signature in DER', seeds: [ecdsaDer], run: (bytes) => void ecdsaSignatureOf(bytes, 32) },
  { name: 'judgeEndorsementKey', seeds: publicAreas, run: (bytes) => void judgeEndorsementKey(crypto, bytes) },
  { name: 'judgeAttestationKey', seeds: publicAreas, run: (bytes) => void judgeAttestationKey(crypto, bytes, keys.endorsementKey) },
  { name: 'judgeVrfKey', seeds: publicAreas, run: (bytes) => void judgeVrfKey(crypto, bytes, keys.endorsementKey) },
  refusing('judgeQuote, attestation', quote.attestation, (attestation) =>
    judgeQuote(crypto, keys.attestationKey, policy, { ...quote, attestation }, qualifyingData),
  ),
  refusing('judgeCertifiedTime, attestation', hex(captured.time.attestation), (attestation) =>
    judgeCertifiedTime(crypto, keys.attestationKey, { ...signed(captured.time), attestation }, qualifyingData),
  ),
  refusing('judgeCertification, attestation', hex(captured.certify.attestation), (attestation) =>
    judgeCertification(
      crypto,
      keys.attestationKey,
      keys.vrfKey,
      { ...signed(captured.certify), attestation },
      hex(captured.certifyQualifyingData),
    ),
  ),
  refusing('judgeCreation, creation data', creation.creationData, (creationData) =>
    judgeCreation(crypto, keys, { ...creation, creationData }, qualifyingData, hex(captured.outsideInfo)),
  ),
];

function roundTrip<T>({ name, decode, encode }: Structure<T>, seeds: Uint8Array[]): FuzzTarget {
  const run = (bytes: Uint8Array) => {
    const decoded = decode(bytes);
    if (decoded.status === 'decoded') assert.equal(encode(decoded.value).toHex(), bytes.toHex(), `${name} has two forms`);
  };
  return { name, seeds, run };
}

/** Only the seed itself may be accepted. */
function refusing(name: string, seed: Uint8Array, judge: (bytes: Uint8Array) => { status: string }): FuzzTarget {
  const run = (bytes: Uint8Array) =>
    assert.equal(judge(bytes).status === 'accepted', bytes.toHex() === seed.toHex(), `${name}: ${bytes.toHex()}`);
  return { name, seeds: [seed], run };
}

function keyedHash(): PublicArea {
  const { nameAlgorithm, attributes, authPolicy } = templates.storageKeyTemplate;
  return {
    type: 'keyedHash',
    nameAlgorithm,
    attributes,
    authPolicy,
    parameters: { scheme: 'hmac', hash: 'sha256' },
    unique: new Uint8Array(32),
  };
}

function symCipher(): PublicArea {
  const { nameAlgorithm, attributes, authPolicy } = templates.storageKeyTemplate;
  return {
    type: 'symCipher',
    nameAlgorithm,
    attributes,
    authPolicy,
    parameters: { algorithm: 'aes', keyBits: 128, mode: 'cfb' },
    unique: new Uint8Array(32),
  };
}

function counterIndex(): NvPublic {
  const decoded = NvPublic.decode(hex('01500001000b20020002' + '0000' + '0008'));
  assert.ok(decoded.status === 'decoded');
  return decoded.value;
}

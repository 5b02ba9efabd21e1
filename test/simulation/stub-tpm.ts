/**
 * A member's TPM without a TPM: its structures are real bytes that all rules read, its signatures are those of `stub-crypto.ts`.
 * Everything follows from its name. The clock is whatever its caller reads.
 */
import { encodeMemberCard, enrolmentQualifier, vrfKeyPurpose } from '#protocol/enrolment.ts';
import { expectedRegisters, type MeasuredEvent, type Registers } from '#protocol/measured-boot.ts';
import { nodeIdOf, type ConsensusParameters, type Member, type Network, type TrustParameters } from '#protocol/network.ts';
import type { TimeCertificate } from '#protocol/chain/block.ts';
import { voucherQualifier, type Voucher } from '#protocol/chain/voucher.ts';
import { Attest, tpmGenerated, type Attest as AttestValue } from '#protocol/tpm/attest.ts';
import { judgeAttestationKey, type AttestationKey } from '#protocol/tpm/attestation-key.ts';
import { judgeVrfKey, type VrfKey } from '#protocol/tpm/certified-key.ts';
import { CreationData } from '#protocol/tpm/creation-data.ts';
import { judgeEndorsementKey, type EndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { attestationKeyTemplate, endorsementKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';
import { vrfEncodedMessage, vrfKeyRootMessages } from '#protocol/tpm/vrf.ts';
import { stubAuthority, stubModulus } from './stub-certificate.ts';
import { stretched, stubCrypto, stubEcdsaSignature, stubEd25519Signature, stubRsaOperation } from './stub-crypto.ts';

/** What the chip's clock and counters say at some moment. */
export interface StubReading {
  readonly timeMs: number;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly firmwareVersion?: bigint;
}

export interface StubOperationalKey {
  readonly publicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export interface StubMember {
  readonly name: string;
  readonly node: Uint8Array;
  readonly member: Member;
  /** TPM2_GetTime with these qualifying data. */
  getTime(qualifier: Uint8Array, reading: StubReading): TimeCertificate;
  /** RSA-FDH-VRF proof. */
  prove(alpha: Uint8Array): Uint8Array;
  operationalKey(boot: string): StubOperationalKey;
  /** @param network its id */
  voucher(network: Uint8Array, reading: StubReading, operationalKey: Uint8Array): Voucher;
  /** TPM2_Quote over PCRs 8 and 14 with these contents. */
  quote(qualifier: Uint8Array, reading: StubReading, pcrs: Registers): Pick<Voucher, 'quote' | 'quoteSignature'>;
  /** Encoded `MemberCard`. @param salt of the genesis */
  card(salt: Uint8Array): Uint8Array;
}

export const authority = stubAuthority('pretended authority');

/** A network of these, with one authority that vouches for all of them. */
export function stubNetwork(members: readonly StubMember[], consensus: ConsensusParameters, trust?: TrustParameters): Network {
  const genesis = {
    version: 1 as const,
    name: 'pretended',
    salt: stretched(encoder.encode('salt'), 16),
    members: members.map(({ node }) => node),
    endorsementAuthorities: [{ certificate: authority.certificate, softwareTpm: true }],
    credentialsMin: 1,
    consensus,
    ...(trust && { trust }),
  };
  const references = trust ? stubEventLog.map((event) => ({ ...event, label: `pretended ${event.kind}` })) : [];
  return { genesis, members: members.map(({ member }) => member), references };
}

/** @param chip whose keys these are, where another name than the member's is wanted; @param vrf the same for the VRF key alone */
export function createStubMember(name: string, chip: string = name, vrf: string = chip): StubMember {
  return memberWith(name, stubKeySource(chip, vrf));
}

/** What a chip's secrets do: pretended here, real in `real-keys.ts`. */
export interface KeySource {
  readonly endorsementModulus: Uint8Array;
  readonly attestationPoint: { readonly x: Uint8Array; readonly y: Uint8Array };
  readonly vrfModulus: Uint8Array;
  /** r ‖ s of ECDSA with SHA-256, s in the lower half of the order. @param point of the attestation key */
  signAttestation(point: Uint8Array, attestation: Uint8Array): Uint8Array;
  /** Raw RSA with the secret of the VRF key. */
  rsaOperation(encoded: Uint8Array): Uint8Array;
  operationalKey(boot: string): StubOperationalKey;
}

function stubKeySource(chip: string, vrf: string): KeySource {
  const vrfModulus = stubModulus(`vrf ${vrf}`);
  return {
    endorsementModulus: stubModulus(`endorsement ${chip}`),
    attestationPoint: { x: stretched(encoder.encode(`x ${chip}`), 32), y: stretched(encoder.encode(`y ${chip}`), 32) },
    vrfModulus,
    signAttestation: (point, attestation) => stubEcdsaSignature('P-256', point, 'sha256', attestation),
    rsaOperation: (encoded) => stubRsaOperation(vrfModulus, encoded),
    operationalKey: (boot) => stubOperationalKey(`${chip} ${boot}`),
  };
}

export function memberWith(name: string, source: KeySource): StubMember {
  const keys = keysOf(source);
  const { member, node } = memberOf(name, keys);
  const attest = (body: AttestValue['body']) => attested(keys, body);
  const certify = (body: AttestValue['body']) => sealed(attest(body));
  const quote: StubMember['quote'] = (qualifier, reading, pcrs) => {
    const pcrDigest = stubCrypto.sha256(Uint8Array.of(...pcrs.pcr8, ...pcrs.pcr14));
    const attested = { pcrSelection: selectPcrs('sha256', [8, 14]), pcrDigest };
    const { attestation, signature } = certify({ kind: 'quote', ...commonOf(keys, qualifier, reading), attested });
    return { quote: attestation, quoteSignature: signature };
  };
  return {
    name,
    node,
    member,
    quote,
    getTime: (qualifier, reading) => {
      const { clockInfo, firmwareVersion } = infoOf(reading);
      const timeInfo = { time: BigInt(reading.timeMs), clockInfo };
      return attest({ kind: 'time', ...commonOf(keys, qualifier, reading), attested: { timeInfo, firmwareVersion } });
    },
    prove: (alpha) => source.rsaOperation(vrfEncodedMessage(stubCrypto, keys.vrfKey.modulus, alpha)),
    operationalKey: (boot) => source.operationalKey(boot),
    voucher: (network, reading, operationalKey) => {
      const pcrs = expectedRegisters(stubEventLog, operationalKey);
      return {
        node,
        operationalKey,
        ...quote(voucherQualifier(network, node, operationalKey), reading, pcrs),
        pcrs,
        eventLog: stubEventLog,
      };
    },
    card: (salt) => cardOf(keys, member, salt, certify),
  };
}

export function stubOperationalKey(seed: string): StubOperationalKey {
  const publicKey = stretched(encoder.encode(`operational ${seed}`), 32);
  publicKey[31] = (publicKey[31] ?? 0) & 0x3f;
  return { publicKey, sign: (message) => stubEd25519Signature(publicKey, message) };
}

interface StubKeys {
  readonly source: KeySource;
  readonly areas: { readonly endorsement: Uint8Array; readonly attestation: Uint8Array; readonly vrf: Uint8Array };
  readonly endorsementKey: EndorsementKey;
  readonly attestationKey: AttestationKey;
  readonly vrfKey: VrfKey;
}

const encoder = new TextEncoder();
/** What every pretended device has measured. */
export const stubEventLog: MeasuredEvent[] = (['firmware', 'addon', 'board'] as const).map((kind) => ({
  kind,
  digest: stretched(encoder.encode(kind), 32),
}));

function keysOf(source: KeySource): StubKeys {
  const areas = {
    endorsement: PublicArea.encode({ ...endorsementKeyTemplate, unique: source.endorsementModulus }),
    attestation: PublicArea.encode({ ...attestationKeyTemplate, unique: source.attestationPoint }),
    vrf: PublicArea.encode({ ...vrfKeyTemplate, unique: source.vrfModulus }),
  };
  const endorsementKey = keyOf(judgeEndorsementKey(stubCrypto, areas.endorsement));
  return {
    source,
    areas,
    endorsementKey,
    attestationKey: keyOf(judgeAttestationKey(stubCrypto, areas.attestation, endorsementKey)),
    vrfKey: keyOf(judgeVrfKey(stubCrypto, areas.vrf, endorsementKey)),
  };
}

function keyOf<K>(verdict: { status: 'accepted'; key: K } | { status: 'refused'; detail: string }): K {
  if (verdict.status === 'refused') throw new Error(verdict.detail);
  return verdict.key;
}

function memberOf(name: string, { areas, endorsementKey }: StubKeys): { member: Member; node: Uint8Array } {
  const member: Member = {
    name,
    peersUrl: `mqtts://${name}:8883`,
    peersAuthority: encoder.encode(`authority of ${name}`),
    endorsementCertificate: authority.issue(endorsementKey.modulus),
    endorsementIntermediates: [],
    endorsementKey: areas.endorsement,
    attestationKey: areas.attestation,
    vrfKey: areas.vrf,
  };
  return { member, node: nodeIdOf(areas.endorsement) };
}

function infoOf({ timeMs, resetCount, restartCount, firmwareVersion }: StubReading) {
  return { clockInfo: { clock: BigInt(timeMs), resetCount, restartCount, safe: true }, firmwareVersion: firmwareVersion ?? 7n };
}

function commonOf({ attestationKey }: StubKeys, extraData: Uint8Array, reading: StubReading) {
  return { qualifiedSigner: attestationKey.qualifiedName, extraData, ...infoOf(reading) };
}

/** The signature is r ‖ s. */
function attested({ source, attestationKey }: StubKeys, body: AttestValue['body']): TimeCertificate {
  const attestation = Attest.encode({ magic: tpmGenerated, body });
  return { attestation, signature: source.signAttestation(attestationKey.point, attestation) };
}

/** The same with a TPMT_SIGNATURE. */
function sealed({ attestation, signature }: TimeCertificate): { attestation: Uint8Array; signature: Uint8Array } {
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  return { attestation, signature: Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r, s }) };
}

function cardOf(
  keys: StubKeys,
  member: Member,
  salt: Uint8Array,
  certify: (body: AttestValue['body']) => ReturnType<typeof sealed>,
): Uint8Array {
  const common = commonOf(keys, enrolmentQualifier(salt, member), { timeMs: 1, resetCount: 1, restartCount: 0 });
  const { name, qualifiedName, modulus } = keys.vrfKey;
  const creationData = CreationData.encode({
    pcrSelection: [],
    pcrDigest: new Uint8Array(),
    locality: 1,
    parentNameAlgorithm: 'sha256',
    parentName: keys.endorsementKey.name,
    parentQualifiedName: keys.endorsementKey.qualifiedName,
    outsideInfo: vrfKeyPurpose(salt),
  });
  const attestedCreation = { objectName: name, creationHash: stubCrypto.sha256(creationData) };
  return encodeMemberCard({
    member,
    vrfKeyCertification: certify({ kind: 'certify', ...common, attested: { name, qualifiedName } }),
    vrfKeyCreation: { ...certify({ kind: 'creation', ...common, attested: attestedCreation }), creationData },
    vrfKeyRoots: vrfKeyRootMessages(stubCrypto, modulus).map((message) => keys.source.rsaOperation(message)),
  });
}

/** A chip made of software, whose attestation key a test holds: it signs attestations with any field that a forger could want. */
import { p256 } from '@noble/curves/nist.js';

import { voucherQualifier, type Voucher } from '#protocol/chain/voucher.ts';
import { lowS } from '#protocol/chain/wait-certificate.ts';
import type { TimeCertificate } from '#protocol/chain/block.ts';
import { blobDigest } from '#protocol/digest.ts';
import { expectedRegisters, type MeasuredEvent } from '#protocol/measured-boot.ts';
import { Attest, type AttestBody } from '#protocol/tpm/attest.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { attestationKeyOf } from '#protocol/member-keys.ts';
import { nodeIdOf, type Member } from '#protocol/network.ts';
import type { AttestationKey } from '#protocol/tpm/attestation-key.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { attestationKeyTemplate, endorsementKeyTemplate } from '#protocol/tpm/templates.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { softwareSigner } from '../protocol/workshop.ts';

type TimeBody = AttestBody<'time'>;
type QuoteBody = AttestBody<'quote'>;

/** What a forged certificate may say otherwise; the inner fields, and with them the outer ones, but for `outer`. */
export interface TimeFields {
  readonly timeMs?: bigint;
  readonly clock?: bigint;
  readonly resetCount?: number;
  readonly restartCount?: number;
  readonly safe?: boolean;
  readonly firmwareVersion?: bigint;
  readonly qualifiedSigner?: Uint8Array;
  readonly outer?: Partial<Pick<TimeBody, 'clockInfo' | 'firmwareVersion'>>;
}

export interface SoftwareChip {
  readonly name: string;
  readonly node: Uint8Array;
  readonly member: Member;
  readonly key: AttestationKey;
  readonly operationalKey: Uint8Array;
  readonly sign: (input: Uint8Array) => Uint8Array;
  /** r ‖ s with s in the lower half. */
  signAttestation: (attestation: Uint8Array) => Uint8Array;
  certifyTime: (qualifier: Uint8Array, fields?: TimeFields) => TimeCertificate;
  makeVoucher: (network: Uint8Array, changes?: VoucherChanges) => Voucher;
}

/** What a forged voucher may say otherwise, before it is signed. */
export interface VoucherChanges {
  readonly operationalKey?: Uint8Array;
  readonly eventLog?: readonly MeasuredEvent[];
  readonly registers?: Voucher['pcrs'];
  readonly indices?: readonly number[];
  readonly qualifier?: Uint8Array;
  readonly resetCount?: number;
}

export const firmwareVersion = 0x0007_0002_0001_0000n;

export const measuredEvents: readonly MeasuredEvent[] = (['firmware', 'addon', 'board'] as const).map((kind) => ({
  kind,
  digest: blobDigest(new TextEncoder().encode(kind)),
}));

export function softwareChip(name: string): SoftwareChip {
  const seed = (purpose: string) => blobDigest(new TextEncoder().encode(`${purpose} of ${name}`));
  const secret = seed('attestation key');
  const member = memberWith(name, p256.getPublicKey(secret, false));
  const node = nodeIdOf(member.endorsementKey);
  const key = attestationKeyOf(member, nobleCrypto);
  if (!key) throw new Error('the attestation key has not the template');
  const { qualifiedName } = key;
  const operational = softwareSigner(seed('operational key'));
  const signAttestation = (attestation: Uint8Array) => lowS(p256.sign(attestation, secret, { lowS: false }));
  return {
    name,
    node,
    member,
    key,
    operationalKey: operational.publicKey,
    sign: operational.sign,
    signAttestation,
    certifyTime: (qualifier, fields = {}) => {
      const attestation = timeAttestation(qualifiedName, qualifier, fields);
      return { attestation, signature: signAttestation(attestation) };
    },
    makeVoucher: (network, changes = {}) => {
      const operationalKey = changes.operationalKey ?? operational.publicKey;
      const eventLog = [...(changes.eventLog ?? measuredEvents)];
      const pcrs = changes.registers ?? expectedRegisters(eventLog, operationalKey);
      const qualifier = changes.qualifier ?? voucherQualifier(network, node, operationalKey);
      const quote = quoteAttestation(qualifiedName, qualifier, {
        pcrs,
        indices: changes.indices ?? [8, 14],
        resetCount: changes.resetCount ?? 3,
      });
      const signature = signAttestation(quote);
      const quoteSignature = Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: signature.slice(0, 32), s: signature.slice(32) });
      return { node, operationalKey, quote, quoteSignature, pcrs, eventLog };
    },
  };
}

/** A card with the templates of keys; nobody certified them, and the VRF key is none. */
function memberWith(name: string, point: Uint8Array): Member {
  const blocks = Array.from({ length: 8 }, (_, index) => blobDigest(new TextEncoder().encode(`modulus ${index} of ${name}`)));
  const modulus = Uint8Array.from(blocks.flatMap((block) => [...block]));
  modulus.set([modulus[0]! | 0x80], 0);
  modulus.set([modulus[255]! | 1], 255);
  const unique = { x: point.slice(1, 33), y: point.slice(33) };
  return {
    name,
    peersUrl: `mqtts://${name}:8884`,
    peersAuthority: Uint8Array.of(0x30),
    endorsementCertificate: Uint8Array.of(0x30),
    endorsementIntermediates: [],
    endorsementKey: PublicArea.encode({ ...endorsementKeyTemplate, unique: modulus }),
    attestationKey: PublicArea.encode({ ...attestationKeyTemplate, unique }),
    vrfKey: Uint8Array.of(1),
  };
}

/** TPMS_ATTEST of TPM2_GetTime. */
export function timeAttestation(qualifiedSigner: Uint8Array, extraData: Uint8Array, fields: TimeFields = {}): Uint8Array {
  const clockInfo = {
    clock: fields.clock ?? 1_000_000n,
    resetCount: fields.resetCount ?? 3,
    restartCount: fields.restartCount ?? 0,
    safe: fields.safe ?? true,
  };
  const body: TimeBody = {
    kind: 'time',
    qualifiedSigner: fields.qualifiedSigner ?? qualifiedSigner,
    extraData,
    clockInfo,
    firmwareVersion: fields.firmwareVersion ?? firmwareVersion,
    attested: { timeInfo: { time: fields.timeMs ?? 10_000n, clockInfo }, firmwareVersion: fields.firmwareVersion ?? firmwareVersion },
    ...fields.outer,
  };
  return Attest.encode({ magic: 0xff544347, body });
}

function quoteAttestation(
  qualifiedSigner: Uint8Array,
  extraData: Uint8Array,
  { pcrs, indices, resetCount }: { pcrs: Voucher['pcrs']; indices: readonly number[]; resetCount: number },
): Uint8Array {
  const body: QuoteBody = {
    kind: 'quote',
    qualifiedSigner,
    extraData,
    clockInfo: { clock: 1_000_000n, resetCount, restartCount: 1, safe: true },
    firmwareVersion,
    attested: { pcrSelection: selectPcrs('sha256', indices), pcrDigest: blobDigest(Uint8Array.of(...pcrs.pcr8, ...pcrs.pcr14)) },
  };
  return Attest.encode({ magic: 0xff544347, body });
}

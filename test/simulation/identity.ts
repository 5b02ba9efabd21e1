/** Who a simulated member is: its chip's keys, and what it makes with them. */
import type { TimeCertificate } from '#protocol/chain/block.ts';
import { encodeVoucher } from '#protocol/chain/voucher.ts';
import { expectedRegisters } from '#protocol/measured-boot.ts';
import { encodeMemberEvidence, memberEvidenceQualifier, type MemberEvidence } from '#protocol/member-evidence.ts';
import { stubEventLog, type StubMember } from './stub-tpm.ts';

/** What the chip's clock and counters say at some moment. */
export interface ChipReading {
  readonly timeMs: number;
  readonly resetCount: number;
  readonly restartCount: number;
}

export interface OperationalKey {
  readonly publicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export interface Identity {
  readonly name: string;
  readonly node: Uint8Array;
  certifyTime(qualifier: Uint8Array, reading: ChipReading): TimeCertificate;
  proveDraw(alpha: Uint8Array): Uint8Array;
  /** Encoded `Voucher` for the operational key of this boot. */
  voucher(reading: ChipReading): Uint8Array;
  /** Encoded `MemberEvidence` about a checkpoint, of this boot; of software of a release, or of none. */
  evidence(checkpoint: MemberEvidence['checkpoint'], reading: ChipReading, software: 'released' | 'unknown'): Uint8Array;
  /** One for each start of the chip. */
  operationalKey(resetCount: number): OperationalKey;
  /** Encoded `MemberCard` for the network. */
  card(): Uint8Array;
}

/** @param salt of the genesis */
export function identityOf(member: StubMember, network: Uint8Array, salt: Uint8Array): Identity {
  const keys = new Map<number, OperationalKey>();
  const operationalKey = (resetCount: number): OperationalKey => {
    const key = keys.get(resetCount) ?? member.operationalKey(`boot ${resetCount}`);
    keys.set(resetCount, key);
    return key;
  };
  return {
    name: member.name,
    node: member.node,
    certifyTime: (qualifier, reading) => member.getTime(qualifier, reading),
    proveDraw: (alpha) => member.prove(alpha),
    voucher: (reading) => encodeVoucher(member.voucher(network, reading, operationalKey(reading.resetCount).publicKey)),
    evidence: (checkpoint, reading, software) => {
      const about = { checkpoint, operationalKey: operationalKey(reading.resetCount).publicKey };
      const eventLog = stubEventLog.map((event) =>
        software === 'unknown' && event.kind === 'firmware' ? { ...event, digest: event.digest.toReversed() } : event,
      );
      const pcrs = expectedRegisters(eventLog, about.operationalKey);
      const quote = member.quote(memberEvidenceQualifier(network, member.node, about), reading, pcrs);
      return encodeMemberEvidence({ ...about, ...quote, pcrs, eventLog });
    },
    operationalKey,
    card: () => member.card(salt),
  };
}

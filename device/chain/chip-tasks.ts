/** What the core asks of the chip (events.ts), put to the device's identity; each answer is an event. Specification §11.3, §12. */
import type { TimeCertificate } from '#protocol/chain/block.ts';
import type { ConsensusEvent, TpmTask } from '../consensus/events.ts';

/** What the device's chip and operational key do for consensus: `Identity` of device/identity. May take seconds and may fail. */
export interface ConsensusChip {
  readonly node: Uint8Array;
  readonly operationalKey: Uint8Array;
  /** Ed25519 by the operational key. */
  sign(input: Uint8Array): Uint8Array;
  certifyTime(qualifier: Uint8Array): Promise<TimeCertificate>;
  makeVoucher(network: Uint8Array): Promise<Uint8Array>;
  proveVrf(alpha: Uint8Array): Promise<Uint8Array>;
}

/** An event without its moment. */
export type News = ConsensusEvent extends infer Event ? (Event extends ConsensusEvent ? Omit<Event, 'at'> : never) : never;

/** @param network id, which the voucher names */
export async function answerTo(task: TpmTask, chip: ConsensusChip, network: Uint8Array): Promise<News> {
  switch (task.task) {
    case 'prove-draw':
      return { type: 'drawProved', alpha: task.alpha, proof: await chip.proveVrf(task.alpha) };
    case 'certify-start':
      return { type: 'startCertified', parent: task.parent, certificate: await chip.certifyTime(task.qualifier) };
    case 'certify-end':
      return { type: 'endCertified', header: task.header, certificate: await chip.certifyTime(task.qualifier) };
    case 'make-voucher':
      return { type: 'voucherMade', voucher: await chip.makeVoucher(network) };
  }
}

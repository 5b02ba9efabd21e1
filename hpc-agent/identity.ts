/** Who this box is, as pairing has settled it: the network, the device that it belongs to, its name and its key. Specification §6.2. */
import type { Network } from '#protocol/network.ts';
import type { Sign } from '#protocol/signed.ts';

export interface BoxIdentity {
  /** From the network file that the box's operator chose, never from the device. */
  readonly network: Network;
  readonly networkId: Uint8Array;
  readonly networkLabel: string;
  readonly device: string;
  readonly box: string;
  /** By the box's Ed25519 key, whose public half the device took over at pairing. */
  readonly sign: Sign;
}

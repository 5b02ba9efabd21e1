/** What the duty of anchors asks of the outside. Specification §20.9. */
import type { TimeCertificate } from '#protocol/chain/block.ts';
import type { Intention, Standing } from '../layer1/intention.ts';

/** The chip that votes: `Identity`. May take seconds and may fail. */
export interface AnchorChip {
  readonly node: Uint8Array;
  /** TPM2_GetTime by the attestation key. @param qualifier 32 bytes */
  certifyTime(qualifier: Uint8Array): Promise<TimeCertificate>;
}

/** `GossipNetwork.anchors()`. */
export interface AnchorGossip {
  /** To all peers, and to those that connect later. */
  say(payload: Uint8Array): void;
  onHeard(handler: (peerName: string, payload: Uint8Array) => void): void;
}

/** What brings transactions to one chain of layer 1: `Sender`. */
export interface AnchorSender {
  intend(intention: Intention): Promise<void>;
  standing(name: string): Standing | undefined;
}

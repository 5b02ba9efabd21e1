/** One line to each member, this one among them: what a device says to itself takes the same way as what it says to others. Specification §15.9. */
import type { PeerKind } from '#protocol/topics.ts';
import type { GossipNetwork } from './gossip.ts';
import type { Peers } from './ports.ts';

/** What is said about capsules. */
export type CapsuleKind = Exclude<PeerKind, 'response'>;

export interface PeerLines extends Peers {
  onSaid(handler: (from: string, kind: CapsuleKind, payload: Uint8Array) => void): void;
  close(): void;
}

/** @param device this device's name */
export function joinPeers(gossip: Pick<GossipNetwork, 'tell' | 'onPeer'>, device: string): PeerLines {
  const handlers: Parameters<PeerLines['onSaid']>[0][] = [];
  let isClosed = false;
  const hear = (from: string, kind: CapsuleKind, payload: Uint8Array): void => {
    if (!isClosed) for (const handler of handlers) handler(from, kind, payload);
  };
  gossip.onPeer(hear);
  return {
    say: (to, kind, payload) => {
      if (to !== device) gossip.tell(to, kind, payload);
      else if (kind !== 'response') setImmediate(hear, device, kind, payload);
    },
    onSaid: (handler) => void handlers.push(handler),
    close: () => {
      isClosed = true;
    },
  };
}

/** Whether this device has verified a newcomer, so that it gives its word for it; if not, what is lacking. Pure. Specification §11.5. */
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { memberDigest, memberOf } from '#protocol/network.ts';
import type { PeerStanding } from './standing.ts';
import type { AttestationState } from './state.ts';

type Doubt = Exclude<PeerStanding, { verdict: 'trusted' }>['reason'];

export type Verification =
  | { readonly status: 'verified' }
  | {
      readonly status: 'unverified';
      readonly reason: 'not-followed' | 'left-to-others' | 'keys-refused' | 'key-not-activated' | Doubt;
      readonly detail: string;
    };

/** @param card digest of the newcomer's member entry: what is known of other keys of the same chip says nothing about these */
export function verificationOf({ peers, network, leftToOthers }: AttestationState, card: Uint8Array): Verification {
  const peer = [...peers.values()].find(({ node }) => {
    const member = memberOf(network, node);
    return member && sameBytes(memberDigest(member), card);
  });
  if (!peer) return unverified('not-followed', 'this device does not talk to it yet');
  if (leftToOthers.has(hex(peer.node))) return unverified('left-to-others', 'others admit newcomers in this epoch');
  if (!peer.keys) return unverified('keys-refused', 'its endorsement certificate or its keys do not hold now');
  if (!peer.credentialForIt)
    return unverified('key-not-activated', 'its TPM has not shown that it opened the secret that this device closed for its keys');
  const { standing } = peer;
  if (standing?.verdict === 'trusted') return { status: 'verified' };
  return unverified(standing?.reason ?? 'no-evidence-yet', standing?.detail ?? 'it has not shown evidence yet');
}

function unverified(reason: Extract<Verification, { status: 'unverified' }>['reason'], detail: string): Verification {
  return { status: 'unverified', reason, detail };
}

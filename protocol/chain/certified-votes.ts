/** The votes of a certificate: precommits of a quorum of the weight, each by a key of its node. Specification §13.4, §18.5. */
import type { Crypto } from '../crypto.ts';
import { Digest, hex } from '../digest.ts';
import { fixedBytes, struct, type Infer } from '../schema.ts';

/** A precommit without what the certificate says for all of them. */
export const CertificateVote = struct({ node: Digest, key: fixedBytes(32), signature: fixedBytes(64) });
export type CertificateVote = Infer<typeof CertificateVote>;

export interface Electorate {
  /** Weights by node id in hexadecimal, of those whose votes count. */
  readonly weights: ReadonlyMap<string, number>;
  /** The whole weight, the absent included. */
  readonly total: number;
  /** Whether a voucher shows that the key is an operational key of the node. */
  readonly isKeyOf: (node: Uint8Array, key: Uint8Array) => boolean;
}

export type CertificateRefusal = 'vote-repeated' | 'votes-out-of-order' | 'not-a-voter' | 'no-quorum' | 'key-unknown' | 'signature-wrong';

export type CertificateVerdict =
  | { readonly status: 'accepted'; readonly weight: number }
  | { readonly status: 'refused'; readonly reason: CertificateRefusal; readonly detail: string };

/** The least weight that is a quorum: more than two thirds of the whole. */
export function quorumOf(totalWeight: number): number {
  return Math.floor((totalWeight * 2) / 3) + 1;
}

/** @param input what each node has signed. What is cheap comes before the signatures. */
export function judgeVotes(
  crypto: Crypto,
  votes: readonly CertificateVote[],
  { weights, total, isKeyOf }: Electorate,
  input: (node: Uint8Array) => Uint8Array,
): CertificateVerdict {
  let [last, weight] = ['', 0];
  for (const { node } of votes) {
    const name = hex(node);
    const own = weights.get(name);
    if (name === last) return refused('vote-repeated', `${name} votes twice`);
    if (name < last) return refused('votes-out-of-order', `${name} stands after ${last}; votes are in the order of nodes`);
    if (own === undefined) return refused('not-a-voter', `${name} has no vote here`);
    [last, weight] = [name, weight + own];
  }
  const quorum = quorumOf(total);
  if (weight < quorum) return refused('no-quorum', `${weight} of ${total} voted; ${quorum} are a quorum`);
  for (const { node, key, signature } of votes) {
    if (!isKeyOf(node, key)) return refused('key-unknown', `no voucher shows the key ${hex(key)} of ${hex(node)}`);
    if (!crypto.verifyEd25519(key, input(node), signature))
      return refused('signature-wrong', `the precommit of ${hex(node)} is not by its key over this value and round`);
  }
  return { status: 'accepted', weight };
}

function refused(reason: CertificateRefusal, detail: string): CertificateVerdict {
  return { status: 'refused', reason, detail };
}

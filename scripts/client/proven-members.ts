/** The members of the last checkpoint's state, as a device proves them: nothing that it says of them has to be believed. Specification §13.8, §14.5. */
import { judgeCheckpointProof, type ProvenCheckpoint } from '#protocol/chain/checkpoint-proof.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import type { Client } from './client.ts';
import { ClientFailure } from './failure.ts';

export interface ProvenMember {
  readonly record: MemberRecord;
  /** Where it was proven: pages of a large network are of several checkpoints. */
  readonly checkpoint: ProvenCheckpoint;
}

export interface ProvenPage {
  readonly proof: Uint8Array;
  readonly checkpoint: ProvenCheckpoint;
  readonly next: Uint8Array | undefined;
}

const first = new Uint8Array(32);

/** All that the device shows, in the order of node ids. @throws ClientFailure where a proof does not hold */
export async function fetchProvenMembers(client: Client, network: Network, crypto: Crypto = nobleCrypto): Promise<ProvenMember[]> {
  const members: ProvenMember[] = [];
  for (let from: Uint8Array | undefined = first; from;) {
    const { checkpoint, next }: ProvenPage = await fetchProvenPage(client, { from, count: LIMITS.membersShownMax }, { network, crypto });
    members.push(...checkpoint.members.map((record) => ({ record, checkpoint })));
    if (next && hex(next) <= hex(from))
      throw new ClientFailure('proof-refused', `device ${client.device} goes round in circles through its members`);
    from = next;
  }
  return members;
}

/** @throws ClientFailure `proof-refused`, `refused-no-proof` */
export async function fetchProvenPage(
  client: Client,
  asked: { readonly from: Uint8Array; readonly count: number },
  context: { readonly network: Network; readonly crypto: Crypto },
): Promise<ProvenPage> {
  const { proof, next } = await client.chain({ show: 'state', ...asked });
  const checkpoint = judgeCheckpointProof(proof, context);
  if (checkpoint.status === 'accepted') return { proof, checkpoint, next };
  throw new ClientFailure(
    'proof-refused',
    `device ${client.device} shows a state that its network has not certified (${checkpoint.reason}): ${checkpoint.detail}`,
  );
}

/** A member's keys as the chain knows them, parsed once. Pure. Specification §3.1, §11.5. */
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import type { Member } from '#protocol/network.ts';
import type { AttestationKey } from '#protocol/tpm/attestation-key.ts';
import { judgeAttestationKey } from '#protocol/tpm/attestation-key.ts';
import { judgeVrfKey } from '#protocol/tpm/certified-key.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';

export interface MemberIdentity {
  readonly attestationKey: AttestationKey;
  readonly vrfModulus: Uint8Array;
}

export function recordOf(state: ChainState, node: Uint8Array): MemberRecord | undefined {
  return state.members.get(hex(node));
}

export function withRecord(state: ChainState, record: MemberRecord): ChainState {
  return { ...state, members: state.members.with(hex(record.node), record) };
}

/** Undefined where the keys have not the templates: its founder let something in that can do nothing. */
export function identityOf(crypto: Crypto, member: Member): MemberIdentity | undefined {
  const known = identities.get(member);
  if (known) return known;
  const identity = parsed(crypto, member);
  if (identity) identities.set(member, identity);
  return identity;
}

/** By identity: a member's card never changes, and its records share it. */
const identities = new WeakMap<Member, MemberIdentity>();

function parsed(crypto: Crypto, member: Member): MemberIdentity | undefined {
  const endorsement = judgeEndorsementKey(crypto, member.endorsementKey);
  if (endorsement.status === 'refused') return undefined;
  const attestation = judgeAttestationKey(crypto, member.attestationKey, endorsement.key);
  const vrf = judgeVrfKey(crypto, member.vrfKey, endorsement.key);
  if (attestation.status === 'refused' || vrf.status === 'refused') return undefined;
  return { attestationKey: attestation.key, vrfModulus: vrf.key.modulus };
}

/** One of the keys of which ballots count (§13.2). */
export function isKeyOf(state: ChainState, node: Uint8Array, key: Uint8Array): boolean {
  const name = hex(key);
  return recordOf(state, node)?.keys.some((known) => hex(known.key) === name) === true;
}

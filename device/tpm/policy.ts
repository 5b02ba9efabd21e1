/**
 * Policies under which the chip opens a sealed secret. TPM 2.0 Part 1 section 19.7; Part 3 sections 23.7 (PolicyPCR)
 * and 23.16 (PolicyAuthorize).
 */
import { PcrSelection } from '#protocol/tpm/pcr-selection.ts';
import { createHash } from 'node:crypto';

import { sized, unsized } from './answer.ts';
import { hierarchies, type SessionHandle } from './handle.ts';
import { unauthorized, withTrial } from './session.ts';
import { withLoaded, type Chip, type Tpm } from './tpm.ts';

/** Registers must be as they were; or as an authority has approved. */
export interface UnsealPolicy {
  readonly selection: PcrSelection;
  /** Where the secret is sealed to an authority instead of to one state: its word for the state of now. */
  readonly approval?: Approval;
}

/** An authority's signature for one policy digest. */
export interface Approval {
  /** TPMT_PUBLIC of the authority's key. */
  readonly authority: Uint8Array;
  /** Its name, as the sealed object has it. */
  readonly authorityName: Uint8Array;
  /** Policy digest that is approved: `pcrPolicy` of the new state. */
  readonly approvedPolicy: Uint8Array;
  /** What the approval is for; part of what is signed. */
  readonly policyRef: Uint8Array;
  /** TPMT_SIGNATURE over SHA-256(approvedPolicy ‖ policyRef). */
  readonly signature: Uint8Array;
}

/** Digest of the policy "these registers have the values of now". */
export async function pcrPolicy(tpm: Tpm, selection: PcrSelection): Promise<Uint8Array> {
  return tpm.exclusive((chip) =>
    withTrial(chip, async (session) => {
      await requirePcrs(chip, session, selection);
      return unsized(await chip.esys.PolicyGetDigest(session, ...unauthorized));
    }),
  );
}

/** Digest of the policy "an authority approves": the same for every state that it will ever approve. */
export function authorizedPolicy(authorityName: Uint8Array, policyRef: Uint8Array): Uint8Array {
  const commandCode = Uint8Array.of(0x00, 0x00, 0x01, 0x6a); // TPM_CC_PolicyAuthorize
  return sha256(sha256(new Uint8Array(32), commandCode, authorityName), policyRef);
}

/** What an authority signs to approve a policy digest. */
export function approvalDigest(approvedPolicy: Uint8Array, policyRef: Uint8Array): Uint8Array {
  return sha256(approvedPolicy, policyRef);
}

/** Brings a policy session to where it opens what was sealed under the policy. */
export async function satisfy(chip: Chip, session: SessionHandle, policy: UnsealPolicy): Promise<void> {
  await requirePcrs(chip, session, policy.selection);
  if (policy.approval !== undefined) await requireApproval(chip, session, policy.approval);
}

async function requirePcrs(chip: Chip, session: SessionHandle, selection: PcrSelection): Promise<void> {
  await chip.esys.PolicyPCR(session, ...unauthorized, null, PcrSelection.encode(selection));
}

async function requireApproval(chip: Chip, session: SessionHandle, approval: Approval): Promise<void> {
  const { approvedPolicy, policyRef, authorityName, signature } = approval;
  const digest = approvalDigest(approvedPolicy, policyRef);
  const authority = await chip.esys.LoadExternal(...unauthorized, null, sized(approval.authority), hierarchies.owner);
  const ticket = await withLoaded(chip, authority, () => chip.esys.VerifySignature(authority, ...unauthorized, sized(digest), signature));
  await chip.esys.PolicyAuthorize(session, ...unauthorized, sized(approvedPolicy), sized(policyRef), sized(authorityName), ticket);
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

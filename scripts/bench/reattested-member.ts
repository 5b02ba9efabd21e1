/** A member on a software TPM that shows evidence of itself, and seven judges with their ballots on it, in this process. Specification §18.2, §18.5. */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import type { CertificateVote } from '#protocol/chain/certified-votes.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import { momentAlpha } from '#protocol/chain/trust-slots.ts';
import { VerdictBallotMessage, verdictInput, verdictInstance, verdictValue, type Verdict } from '#protocol/chain/verdict.ts';
import { decodeStrict } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { MEASURED_PCRS } from '#protocol/measured-boot.ts';
import { encodeMemberEvidence, memberEvidenceDigest, memberEvidenceQualifier, type MemberEvidence } from '#protocol/member-evidence.ts';
import type { Member, Reference } from '#protocol/network.ts';
import { signMessage } from '#protocol/signed.ts';
import type { CastBallot } from '../../device/votes/decision.ts';
import { makeCard } from '../../device/identity/card.ts';
import { openIdentity, type Identity } from '../../device/identity/identity.ts';
import { measuredSelection } from '../../device/identity/operational-key.ts';
import { quote } from '../../device/tpm/attestation.ts';
import { keyHandles } from '../../device/tpm/keys.ts';
import { pcrExtend } from '../../device/tpm/pcr.ts';

export const JUDGES = 7;
/** Of a founder (§18.3). */
export const WEIGHT = 2;

/** Where evidence is shown: of which network, in which slot, after which checkpoint. */
export interface ShownWhere {
  readonly network: Uint8Array;
  /** Of the slot. */
  readonly seed: Uint8Array;
  readonly slot: number;
  readonly checkpoint: { readonly number: number; readonly block: Uint8Array };
}

export interface Shown {
  readonly where: ShownWhere;
  readonly evidence: MemberEvidence;
  readonly encoded: Uint8Array;
  /** The transaction that holds it. */
  readonly transaction: Uint8Array;
}

export interface Subject {
  readonly node: Uint8Array;
  readonly member: Member;
  readonly operationalKey: Uint8Array;
  readonly references: readonly Reference[];
  /** VRF proof of its moment. */
  moment(where: ShownWhere): Promise<Uint8Array>;
  /** The quote, and what is signed with it. @param moment of this slot */
  evidence(where: ShownWhere, moment: Uint8Array): Promise<Shown>;
  quoteAlone(): Promise<unknown>;
  /** The raw operation of the VRF key. */
  proofAlone(): Promise<unknown>;
  /** By hand: from here on its quotes show another PCR 14 than it has measured. */
  changeRegister(): Promise<void>;
  close(): Promise<void>;
}

export interface SubjectRequest {
  readonly tcti: string;
  readonly folder: string;
  readonly crypto: Crypto;
}

export async function openSubject({ tcti, folder, crypto }: SubjectRequest): Promise<Subject> {
  const measurements = { firmware: drawn(), addon: drawn(), board: drawn() };
  const identity = await openIdentity({ tcti, folder, measurements, crypto });
  const member = await enrolled(identity, crypto);
  const references = (['firmware', 'addon', 'board'] as const).map((kind) => ({ kind, digest: measurements[kind], label: kind }));
  const quoted = (qualifyingData: Uint8Array) =>
    identity.ask((tpm) => quote(tpm, { signer: keyHandles.attestationKey, qualifyingData, selection: measuredSelection }));
  return {
    node: identity.node,
    member,
    operationalKey: identity.operationalKey,
    references,
    moment: ({ network, slot, seed }) => identity.proveVrf(momentAlpha(network, { slot, seed })),
    evidence: async (where, moment) => {
      const { network, slot, checkpoint } = where;
      const about = { checkpoint, operationalKey: identity.operationalKey };
      const { attest, signature } = await quoted(memberEvidenceQualifier(network, identity.node, about));
      const registers = { pcrs: identity.registers, eventLog: [...identity.eventLog] };
      const evidence = { ...about, quote: attest, quoteSignature: signature, ...registers };
      const encoded = encodeMemberEvidence(evidence);
      const author = { by: identity.node, key: identity.operationalKey };
      const action = { action: 'attestation' as const, slot, moment, evidence: encoded };
      return { where, evidence, encoded, transaction: signAction(network, author, action, (input) => identity.sign(input)) };
    },
    quoteAlone: () => quoted(measurements.board),
    proofAlone: () => identity.applyVrfKey(new Uint8Array(256).fill(1, 1)),
    changeRegister: () => identity.ask((tpm) => pcrExtend(tpm, MEASURED_PCRS.software, 'sha256', drawn())),
    close: () => identity.close(),
  };
}

async function enrolled(identity: Identity, crypto: Crypto): Promise<Member> {
  const named = { name: 'subject', peersUrl: 'mqtts://subject:8883', peersAuthority: drawn(), endorsementIntermediates: [] };
  const card = await makeCard(identity, { salt: drawn().subarray(0, 16), ...named, crypto });
  const decoded = decodeStrict(MemberCard, card, card.length);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return decoded.value.member;
}

export interface Judge {
  readonly node: Uint8Array;
  readonly key: Uint8Array;
  readonly privateKey: KeyObject;
}

/** In the order of their nodes, as in a certificate. */
export function createJudges(): readonly Judge[] {
  const judges = Array.from({ length: JUDGES }, () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const key = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
    return { node: drawn(), key, privateKey };
  });
  return judges.sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
}

export interface Judged extends Shown {
  readonly instance: Uint8Array;
  readonly value: Uint8Array;
  /** Of all judges, both steps of round 0, in the order in which they are cast. */
  readonly ballots: readonly CastBallot[];
  /** By the fewest judges that are a quorum. */
  readonly verdict: Verdict;
}

/** What all judges say of evidence, and the verdict that follows. */
export function judged(subject: Subject, judges: readonly Judge[], shown: Shown): Judged {
  const evidence = memberEvidenceDigest(shown.evidence);
  const { network, slot } = shown.where;
  const about = { subject: subject.node, slot, level: 0 };
  const [instance, value] = [verdictInstance(network, about), verdictValue('trusted', evidence)];
  const ballots = (['prevote', 'precommit'] as const).flatMap((step) =>
    judges.map((judge) => ballotBy(judge, { network, instance, round: 0, step, value, node: judge.node })),
  );
  const unsigned = { ...about, word: 'trusted' as const, evidence, round: 0, votes: [] };
  const input = verdictInput(network, unsigned);
  const votes: CertificateVote[] = judges
    .slice(0, Math.floor((JUDGES * 2) / 3) + 1)
    .map((judge) => ({ node: judge.node, key: judge.key, signature: signedBy(judge, input(judge.node)) }));
  return { ...shown, instance, value, ballots, verdict: { ...unsigned, votes } };
}

export function ballotBy(judge: Judge, ballot: CastBallot['ballot']): CastBallot {
  return { ballot, key: judge.key, envelope: signMessage(VerdictBallotMessage, ballot, (input) => signedBy(judge, input)) };
}

function signedBy({ privateKey }: Judge, input: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, input, privateKey));
}

/** 32 random bytes. */
export function drawn(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

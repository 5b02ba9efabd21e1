/** A grid's network: founded from the devices' cards, and kept up with what the devices are made of. Specification §4. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { sameBytes } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeMemberCard, type FoundingContext } from '#protocol/enrolment.ts';
import { decodeNetwork, encodeNetwork, nodeIdOf, type Network, type Reference } from '#protocol/network.ts';
import { contentText } from '../capsule/foreign-file.ts';
import { requireActivation, type Applicant } from '../../device/identity/activation.ts';
import type { Tpm } from '../../device/tpm/tpm.ts';

/** How many other members must vouch for an attestation key. */
const CREDENTIALS_MIN = 2;

/** A block a second: software TPMs answer in a millisecond. A network of real chips takes 20 s. */
const GRID_CONSENSUS = { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 };

/** An anchor every nine seconds, so that who starts a grid sees one. A network that lasts has one an hour. */
const GRID_ANCHOR_HEIGHTS = 8;

/**
 * A member is judged once in 32 blocks: every 32 s on average, at the soonest 8 s after the last time, which are left for the votes. Trust outlasts
 * four slots, so that a planted one, of which there is one in eight, and one without a verdict end nobody's.
 */
const GRID_TRUST = { slotHeights: 32, judges: 7, trustedCheckpoints: 128, plantedOneIn: 8 };

/** A salt for a new genesis. */
export function newSalt(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

/** What a device gives to the founder. */
export interface Candidate {
  /** Encoded `MemberCard`, made with the salt of the founding. */
  readonly card: Uint8Array;
  /** The chip that the card is said to be of. */
  readonly tpm: Tpm;
}

/**
 * Founds a network of software TPMs: every card is judged, and every attestation key is activated before it counts.
 * @param authorities DER certificates of those who certify software TPMs here
 * @throws Error that names the device that is refused and why
 */
export async function foundNetwork(
  name: string,
  salt: Uint8Array,
  candidates: readonly Candidate[],
  authorities: readonly Uint8Array[],
  references: Reference[],
): Promise<Network> {
  const endorsementAuthorities = authorities.map((certificate) => ({ certificate, softwareTpm: true }));
  const context = { salt, authorities: endorsementAuthorities, crypto: nobleCrypto, atMs: Date.now() };
  const applicants = candidates.map((candidate) => requireApplicant(candidate, context));
  await activateAll(applicants);
  const members = applicants.map(({ member }) => member);
  const genesis = {
    version: 1 as const,
    name,
    salt,
    members: members.map((member) => nodeIdOf(member.endorsementKey)),
    endorsementAuthorities,
    credentialsMin: CREDENTIALS_MIN,
    consensus: GRID_CONSENSUS,
    trust: GRID_TRUST,
    anchorHeights: GRID_ANCHOR_HEIGHTS,
  };
  return { genesis, members, references };
}

function requireApplicant({ card, tpm }: Candidate, context: FoundingContext): Applicant {
  const verdict = judgeMemberCard(card, context);
  if (verdict.status === 'refused') throw new Error(`a device's card is refused (${verdict.reason}): ${verdict.detail}`);
  return { member: verdict.member, keys: verdict.keys, tpm };
}

/** Every other device closes a secret for each, so that none gets in by the word of a single one. */
async function activateAll(applicants: readonly Applicant[]): Promise<void> {
  if (applicants.length <= CREDENTIALS_MIN)
    throw new Error(`${applicants.length} devices can't found a network: each needs ${CREDENTIALS_MIN} others that vouch for it`);
  const pairs = applicants.flatMap((applicant) =>
    applicants.filter((other) => other !== applicant).map((closer) => [applicant, closer] as const),
  );
  await Promise.all(pairs.map(([applicant, closer]) => requireActivation(applicant, closer, new Uint8Array(randomBytes(32)))));
}

/** @throws Error that says what is wrong with the file */
export function readNetworkFile(file: string): Network | undefined {
  if (!existsSync(file)) return undefined;
  const content = readFileSync(file);
  const decoded = decodeNetwork(content);
  if (decoded.status === 'malformed')
    throw new Error(`${file} is no network file of this version: ${contentText(content)}; remove its folder, or give another with --state`);
  return decoded.value;
}

export function writeNetworkFile(file: string, network: Network): void {
  writeFileSync(file, encodeNetwork(network), { mode: 0o644 });
}

/** The network with these references added where it lacks them; its id stays. */
export function withReferences(network: Network, references: readonly Reference[]): Network {
  const isNew = (reference: Reference): boolean =>
    !network.references.some((known) => known.kind === reference.kind && sameBytes(known.digest, reference.digest));
  return { ...network, references: [...network.references, ...references.filter(isNew)] };
}

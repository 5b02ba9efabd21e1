/** A grid's network: founded from the devices' cards, and kept up with what the devices are made of. Specification §4. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { sameBytes } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { decodeNetwork, encodeNetwork, nodeIdOf, type Member, type Network, type Reference } from '#protocol/network.ts';

/** How many other members must vouch for an attestation key. */
const CREDENTIALS_MIN = 2;

/** A salt for a new genesis. */
export function newSalt(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

/**
 * Founds a network of software TPMs.
 * @param cards encoded `MemberCard`s, made with `salt`
 * @param authorities DER certificates of those who certify software TPMs here
 * @throws Error that names the card that is refused and why
 */
export function foundNetwork(
  name: string,
  salt: Uint8Array,
  cards: readonly Uint8Array[],
  authorities: readonly Uint8Array[],
  references: Reference[],
): Network {
  const endorsementAuthorities = authorities.map((certificate) => ({ certificate, softwareTpm: true }));
  const context = { salt, authorities: endorsementAuthorities, crypto: nobleCrypto, atMs: Date.now() };
  const members = cards.map((card): Member => {
    const verdict = judgeMemberCard(card, context);
    if (verdict.status === 'refused') throw new Error(`a device's card is refused (${verdict.reason}): ${verdict.detail}`);
    return verdict.member;
  });
  const genesis = {
    version: 1 as const,
    name,
    salt,
    members: members.map((member) => nodeIdOf(member.endorsementKey)),
    endorsementAuthorities,
    credentialsMin: CREDENTIALS_MIN,
  };
  return { genesis, members, references };
}

/** @throws Error that says what is wrong with the file */
export function readNetworkFile(file: string): Network | undefined {
  if (!existsSync(file)) return undefined;
  const decoded = decodeNetwork(readFileSync(file));
  if (decoded.status === 'malformed') throw new Error(`${file} is no network file: ${decoded.detail}`);
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

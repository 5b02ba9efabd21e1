/** The network file: a network's genesis, which whatever verifies takes from its user. Specification §4. */
import { decodeStrict, encodeStrict, type Decoded } from './codec.ts';
import { blobDigest, Digest, domainDigest, hex } from './digest.ts';
import { EndpointUrl } from './endpoint-url.ts';
import { LIMITS } from './limits.ts';
import { PeersUrl } from './peers-url.ts';
import { bytes, fixedBytes, flag, integer, list, oneOf, optional, struct, text, type Infer } from './schema.ts';
import { GOSSIP_LEVEL, Name } from './topics.ts';

const Certificate = bytes({ min: 1, max: LIMITS.certificateBytesMax });
const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

/** A certificate authority whose endorsement-key certificates count, and whether it certifies software TPMs. */
const EndorsementAuthority = struct({ certificate: Certificate, softwareTpm: flag });

/** How the members agree on order (§11-13); the same for the life of a network. */
export const ConsensusParameters = struct({
  /** The mean time between blocks, beside the minimum wait: 20 s on real chips, which need up to half a second for a signature. */
  targetIntervalMs: integer({ min: 100, max: 3_600_000 }),
  minimumWaitMs: integer({ min: 0, max: 3_600_000 }),
  /** Heights with one seed; at least 1,000 on a real network (§12.1). */
  epochHeights: integer({ min: 4, max: 1_000_000 }),
});
export type ConsensusParameters = Infer<typeof ConsensusParameters>;

/** How the members judge one another (§18.1). */
export const TrustParameters = struct({
  slotHeights: integer({ min: 8, max: 1_000_000 }),
  /** Drawn for a verdict of level 0. */
  judges: integer({ min: 1, max: LIMITS.judgesMax }),
  /** How long a verdict `trusted` holds; several slots, for a drawn committee may have no quorum. */
  trustedCheckpoints: integer({ min: 1, max: 1_000_000 }),
  /** One slot in so many is planted; 0: none. */
  plantedOneIn: integer({ min: 0, max: 1_000 }),
});
export type TrustParameters = Infer<typeof TrustParameters>;

/** What the network's id commits to, and never changes (§4.1). */
export const Genesis = struct({
  version: oneOf(1),
  name: Name,
  salt: fixedBytes(16),
  members: list(Digest, { min: 1, max: LIMITS.membersMax }),
  endorsementAuthorities: list(EndorsementAuthority, { min: 1, max: LIMITS.endorsementAuthoritiesMax }),
  /** Credentials by other members that an attestation key needs. */
  credentialsMin: integer({ min: 1, max: LIMITS.credentialsMax }),
  consensus: ConsensusParameters,
  /** Absent: members don't judge one another on the chain. */
  trust: optional(TrustParameters),
  /** Absent: the network has no anchors on layer 1. */
  anchorHeights: optional(integer({ min: 8, max: 1_000_000 })),
});

/** A member: the signer of credentials and beacons, found by its endorsement key (§4.2). */
export const Member = struct({
  name: Name,
  /** Broker for peers. */
  peersUrl: PeersUrl,
  /** Authority of the member's TLS certificates towards peers, DER. */
  peersAuthority: Certificate,
  endorsementCertificate: Certificate,
  endorsementIntermediates: list(Certificate, { max: 4 }),
  /** TPMT_PUBLIC of the endorsement, attestation and VRF keys. */
  endorsementKey: TpmStructure,
  attestationKey: TpmStructure,
  vrfKey: TpmStructure,
});

export const REFERENCE_KINDS = ['firmware', 'addon', 'board'] as const;

const UnixS = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** A known-good digest that a device may have measured (§3.3), and when it is good (§4.4). */
const Reference = struct({
  kind: oneOf(...REFERENCE_KINDS),
  digest: Digest,
  label: text({ max: 80 }),
  /** Unix seconds; the first one. Absent: from ever on. */
  validFrom: optional(UnixS),
  /** Unix seconds; the first one in which it is good no more. Absent: for ever. */
  validUntil: optional(UnixS),
});

/** An EVM chain that holds anchors of the network (§4.5). */
export const Layer1Chain = struct({
  /** EIP-155. */
  chainId: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  /** Address of the contract Anchors. */
  anchors: fixedBytes(20),
  /** Nodes that answer for the chain; they are compared. */
  endpoints: list(EndpointUrl, { min: 1, max: LIMITS.layer1EndpointsMax }),
});
export type Layer1Chain = Infer<typeof Layer1Chain>;

export const Network = struct({
  genesis: Genesis,
  members: list(Member, { min: 1, max: LIMITS.membersMax }),
  references: list(Reference, { max: LIMITS.referencesMax }),
  layer1: optional(list(Layer1Chain, { min: 1, max: LIMITS.layer1ChainsMax })),
});

export type Genesis = Infer<typeof Genesis>;
export type Member = Infer<typeof Member>;
export type Reference = Infer<typeof Reference>;
export type Network = Infer<typeof Network>;

/** The network's id: a digest of its genesis. */
export function networkId({ genesis }: Network): Uint8Array {
  const known = ids.get(genesis) ?? domainDigest('network', encodeStrict(Genesis, genesis));
  ids.set(genesis, known);
  return known;
}

/** A network is a value that nobody changes, and each judgement asks for its id and for members several times. */
const ids = new WeakMap<Genesis, Uint8Array>();
const membersByNode = new WeakMap<readonly Member[], ReadonlyMap<string, Member>>();

/** The short id that stands in topics: 16 hexadecimal digits. */
export function networkLabel(network: Network): string {
  return hex(networkId(network).subarray(0, 8));
}

/** A device's id: the SHA-256 of its endorsement key's public area; one chip, one seat (§3.1). */
export function nodeIdOf(endorsementKey: Uint8Array): Uint8Array {
  return blobDigest(endorsementKey);
}

/** What a member's card says of it, as vouches and certifications name it (§4.3, §11.5). */
export function memberDigest(member: Member): Uint8Array {
  const known = memberDigests.get(member) ?? blobDigest(encodeStrict(Member, member));
  memberDigests.set(member, known);
  return known;
}

const memberDigests = new WeakMap<Member, Uint8Array>();

export function memberOf({ members }: Pick<Network, 'members'>, nodeId: Uint8Array): Member | undefined {
  const known = membersByNode.get(members) ?? new Map(members.toReversed().map((member) => [hex(nodeIdOf(member.endorsementKey)), member]));
  membersByNode.set(members, known);
  return known.get(hex(nodeId));
}

/** The entries of those whom the genesis names, in its order; members that joined later may stand beside them. */
export function foundersOf({ genesis, members }: Network): Member[] {
  return genesis.members.flatMap((node) => memberOf({ members }, node) ?? []);
}

/** Reads a network file and checks that its parts fit one another. */
export function decodeNetwork(encoded: Uint8Array): Decoded<Network> {
  const decoded = decodeStrict(Network, encoded, LIMITS.networkBytesMax);
  if (decoded.status === 'malformed') return decoded;
  const contradiction = contradictionIn(decoded.value);
  return contradiction ? { status: 'malformed', reason: 'not-as-declared', detail: contradiction } : decoded;
}

export function encodeNetwork(network: Network): Uint8Array {
  return encodeStrict(Network, network);
}

function contradictionIn(network: Network): string | undefined {
  const seats = network.genesis.members.map(hex);
  const ids = network.members.map((member) => hex(nodeIdOf(member.endorsementKey)));
  if (new Set(seats).size !== seats.length) return 'the genesis names one member twice';
  if (new Set(ids).size !== ids.length) return 'two members have one endorsement key';
  if (new Set(network.members.map((member) => member.name)).size !== ids.length) return 'two members have the same name';
  if (network.members.some((member) => member.name === GOSSIP_LEVEL))
    return `a member is named "${GOSSIP_LEVEL}", which means something else in topics`;
  if (!seats.every((id) => ids.includes(id))) return 'an entry of a member that the genesis names is missing';
  const empty = network.references.find(({ validFrom = 0, validUntil = Infinity }) => validUntil <= validFrom);
  if (empty) return `the window of the reference "${empty.label}" ends before it begins`;
  const chains = network.layer1 ?? [];
  if (new Set(chains.map(({ chainId }) => chainId)).size !== chains.length) return 'two entries of layer1 are of one chain';
  const twice = chains.find(({ endpoints }) => new Set(endpoints).size !== endpoints.length);
  if (twice) return `layer1 names one endpoint of chain ${twice.chainId} twice: nothing would be compared`;
  return undefined;
}

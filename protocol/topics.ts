/**
 * MQTT topics: every topic of Capstan is built and parsed here. Specification §5.
 *
 * MQTT doesn't tell a subscriber who published, so the topic must: the level after `clients` or `hpc` is the common
 * name of the certificate, and the broker lets nobody else write there (§5.3); after `peers`, of the one that may read.
 */
import { LIMITS } from './limits.ts';
import { text } from './schema.ts';

/** The short form of a network id in topics: its first 8 bytes in hexadecimal. */
export type NetworkLabel = string;

const namePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** 16 bytes in hexadecimal: a capsule's id, or that of a stranger's session. */
const idPattern = /^[0-9a-f]{32}$/;

/** The first level of what belongs to no single device, which therefore no device may be called. */
export const GOSSIP_LEVEL = 'gossip';

/** A name that stands in a topic and in a certificate: a device, a client or a box. */
export const Name = text({
  min: 1,
  max: LIMITS.nameCharactersMax,
  pattern: namePattern,
  like: 'lower-case letters, digits and inner hyphens',
});

/** What strangers may touch on a pairing broker. */
export const PAIRING_ROOT = 'capstan/1/pair';

/** Of streams through another broker (§5.7). */
export const RELAY_ROOT = 'capstan/1/relay';

/** Names that no client and no box may have, because certificates with them mean something else. */
export const RESERVED_NAMES: readonly string[] = ['device', 'peer', 'operator'];

/** What a device says to all peers: of attestation (§3), of the chain (§14.1), and as a judge of members (§18.5). */
export const ATTESTATION_KINDS = ['beacon', 'evidence', 'activation', 'answer', 'credential'] as const;
export const CHAIN_KINDS = ['block', 'transaction', 'ballot', 'head', 'request', 'voucher'] as const;
export const TRUST_KINDS = ['verdict'] as const;
/** Votes on anchors of layer 1 (§20.9). */
export const ANCHOR_KIND = 'anchor-votes';
export const GOSSIP_KINDS = [...ATTESTATION_KINDS, ...CHAIN_KINDS, ...TRUST_KINDS, ANCHOR_KIND] as const;
export type AttestationKind = (typeof ATTESTATION_KINDS)[number];
export type ChainKind = (typeof CHAIN_KINDS)[number];
export type TrustKind = (typeof TRUST_KINDS)[number];
export type GossipKind = (typeof GOSSIP_KINDS)[number];

/** What a device says to one peer alone: answers about the chain (§14.2), and capsules (§15). */
export const PEER_KINDS = ['response', 'order', 'news', 'need', 'chunk'] as const;
export type PeerKind = (typeof PEER_KINDS)[number];

/** What a client writes, and what the device writes to it (§5.1). */
export const CLIENT_REQUESTS = ['submit', 'cancel', 'query', 'control', 'upload/chunk', 'download/need'] as const;
export const CLIENT_ANSWERS = ['answer', 'upload/need', 'download/chunk'] as const;
export const CAPSULE_NEWS = ['state', 'progress', 'log', 'energy', 'result', 'receipt', 'finality'] as const;
export type ClientRequest = (typeof CLIENT_REQUESTS)[number];
export type ClientAnswer = (typeof CLIENT_ANSWERS)[number];
export type CapsuleNews = (typeof CAPSULE_NEWS)[number];

/** The listeners of a device to which a box may come through another broker, and what is said of a session (§5.7). */
export const RELAY_LISTENERS = ['pairing', 'boxes'] as const;
export const RELAY_KINDS = ['open', 'up', 'down'] as const;
export type RelayListener = (typeof RELAY_LISTENERS)[number];
export type RelayKind = (typeof RELAY_KINDS)[number];

/** A stream of one box; `session` in hexadecimal, new for each. */
export interface RelaySession {
  /** The name under which the device is known at that broker. */
  readonly device: string;
  readonly listener: RelayListener;
  readonly session: string;
}

/** What a box writes (`up`) and what its device writes to it (`down`) (§6). */
export const BOX_UP = ['hello', 'evidence', 'state', 'progress', 'log', 'report', 'need', 'chunk'] as const;
export const BOX_DOWN = ['introduction', 'challenge', 'assign', 'cancel', 'acknowledge', 'need', 'chunk'] as const;
/** What a fenced box says and hears to prove itself again; the last of each carry the logs of its TPM (§17.2). */
export const FENCED_UP: readonly BoxUp[] = ['hello', 'evidence', 'chunk'];
export const FENCED_DOWN: readonly BoxDown[] = ['introduction', 'challenge', 'need'];
export type BoxUp = (typeof BOX_UP)[number];
export type BoxDown = (typeof BOX_DOWN)[number];

export type Topic =
  | { readonly to: 'gossip'; readonly kind: GossipKind }
  | { readonly to: 'status'; readonly device: string }
  | { readonly to: 'chain'; readonly device: string }
  | { readonly to: 'peer'; readonly device: string; readonly peer: string; readonly kind: PeerKind }
  | { readonly to: 'client'; readonly device: string; readonly client: string; readonly kind: ClientRequest | ClientAnswer }
  | { readonly to: 'capsule'; readonly device: string; readonly client: string; readonly capsule: string; readonly kind: CapsuleNews }
  | { readonly to: 'box'; readonly device: string; readonly box: string; readonly direction: 'up'; readonly kind: BoxUp }
  | { readonly to: 'box'; readonly device: string; readonly box: string; readonly direction: 'down'; readonly kind: BoxDown }
  /** What is sensed of a box, and where it stands (§17.3). */
  | { readonly to: 'sensor'; readonly device: string; readonly box: string; readonly sensor: string }
  | { readonly to: 'box-state'; readonly device: string; readonly box: string };

/** The root of all topics of a network. */
export function topicRoot(network: NetworkLabel): string {
  return `capstan/1/${network}`;
}

export function topicOf(network: NetworkLabel, topic: Topic): string {
  return [topicRoot(network), ...levelsOf(topic)].join('/');
}

/** The topic that these words mean, or `undefined` when it isn't one of this network's (§5.1): no wildcard, no empty level. */
export function parseTopic(network: NetworkLabel, words: string): Topic | undefined {
  const root = `${topicRoot(network)}/`;
  if (!words.startsWith(root) || words.length > LIMITS.topicCharactersMax) return undefined;
  const parsed = parseLevels(words.slice(root.length).split('/'));
  return parsed && areNamed(parsed) && topicOf(network, parsed) === words ? parsed : undefined;
}

/** A subscription to a family of topics: `+` stands for any one level, `#` for all the rest. */
export function topicFilter(network: NetworkLabel, ...levels: string[]): string {
  return [topicRoot(network), ...levels].join('/');
}

/**
 * Whether one may publish there (MQTT 5 §4.7, §1.5.4): no wildcards, none of the characters at which a broker may end the
 * connection, not one of the broker's own topics, and neither longer nor deeper than ours ever are.
 */
export function isTopicName(words: string): boolean {
  if (words.length === 0 || words.length > LIMITS.topicCharactersMax || !words.isWellFormed()) return false;
  return !/^\$|[#+\p{Cc}\p{Noncharacter_Code_Point}]/u.test(words) && words.split('/').length <= LIMITS.topicLevelsMax;
}

/** Everything that a client may read and where its answers must go (§5.2). */
export function clientSubtree(network: NetworkLabel, device: string, client: string): string {
  return `${topicRoot(network)}/${device}/clients/${client}/`;
}

/** Of pairing (§5.6), where a stranger knows neither network nor device. @param session a stranger's client id, or a wildcard */
export function pairingTopic(session: string, kind: 'request' | 'response'): string {
  return `${PAIRING_ROOT}/${session}/${kind}`;
}

/** The session whose request comes on this topic, or `undefined` when it is none. */
export function pairingSessionOf(topic: string): string | undefined {
  const [session = '', ...rest] = topic.startsWith(`${PAIRING_ROOT}/`) ? topic.slice(PAIRING_ROOT.length + 1).split('/') : [];
  return idPattern.test(session) && rest.join('/') === 'request' ? session : undefined;
}

/** At another broker (§5.7). */
export function relayTopic({ device, listener, session }: RelaySession, kind: RelayKind): string {
  return [RELAY_ROOT, device, listener, session, kind].join('/');
}

/** What opens sessions of any listener. @param device the name under which the device is known there */
export function relayOpenFilter(device: string): string {
  return [RELAY_ROOT, device, '+', '+', 'open'].join('/');
}

/** The session that is asked for on this topic, or `undefined` when none is. */
export function relayOpenedBy(topic: string): RelaySession | undefined {
  const [device = '', listener = '', session = '', ...rest] = topic.startsWith(`${RELAY_ROOT}/`)
    ? topic.slice(RELAY_ROOT.length + 1).split('/')
    : [];
  if (rest.join('/') !== 'open' || !namePattern.test(device) || device.length > LIMITS.nameCharactersMax) return undefined;
  return isOneOf(RELAY_LISTENERS, listener) && idPattern.test(session) ? { device, listener, session } : undefined;
}

function levelsOf(topic: Topic): string[] {
  switch (topic.to) {
    case 'gossip':
      return [GOSSIP_LEVEL, topic.kind];
    case 'status':
      return [topic.device, 'status'];
    case 'chain':
      return [topic.device, 'chain'];
    case 'peer':
      return [topic.device, 'peers', topic.peer, topic.kind];
    case 'client':
      return [topic.device, 'clients', topic.client, topic.kind];
    case 'capsule':
      return [topic.device, 'clients', topic.client, 'capsules', topic.capsule, topic.kind];
    case 'box':
      return [topic.device, 'hpc', topic.box, topic.direction, topic.kind];
    case 'sensor':
      return [topic.device, 'sensors', topic.box, topic.sensor];
    case 'box-state':
      return [topic.device, 'control', topic.box, 'state'];
  }
}

function parseLevels(levels: string[]): Topic | undefined {
  const [first = '', second = '', third = '', fourth = '', fifth = '', sixth = ''] = levels;
  const clientKind = levels.slice(3).join('/');
  if (first === GOSSIP_LEVEL) return isOneOf(GOSSIP_KINDS, second) ? { to: 'gossip', kind: second } : undefined;
  if (second === 'status' || second === 'chain') return { to: second, device: first };
  if (second === 'peers' && isOneOf(PEER_KINDS, fourth)) return { to: 'peer', device: first, peer: third, kind: fourth };
  if (second === 'clients' && fourth === 'capsules' && isOneOf(CAPSULE_NEWS, sixth)) {
    return { to: 'capsule', device: first, client: third, capsule: fifth, kind: sixth };
  }
  if (second === 'clients' && isOneOf([...CLIENT_REQUESTS, ...CLIENT_ANSWERS], clientKind))
    return { to: 'client', device: first, client: third, kind: clientKind };
  if (second === 'sensors') return { to: 'sensor', device: first, box: third, sensor: fourth };
  if (second === 'control' && fourth === 'state') return { to: 'box-state', device: first, box: third };
  if (second === 'hpc' && fourth === 'up' && isOneOf(BOX_UP, fifth))
    return { to: 'box', device: first, box: third, direction: 'up', kind: fifth };
  if (second === 'hpc' && fourth === 'down' && isOneOf(BOX_DOWN, fifth))
    return { to: 'box', device: first, box: third, direction: 'down', kind: fifth };
  return undefined;
}

function areNamed(topic: Topic): boolean {
  const names = [
    ...('device' in topic ? [topic.device] : []),
    ...('client' in topic ? [topic.client] : []),
    ...('box' in topic ? [topic.box] : []),
    ...('peer' in topic ? [topic.peer] : []),
    ...('sensor' in topic ? [topic.sensor] : []),
  ];
  const id = 'capsule' in topic ? topic.capsule : undefined;
  return (
    names.every((name) => name.length <= LIMITS.nameCharactersMax && namePattern.test(name)) && (id === undefined || idPattern.test(id))
  );
}

function isOneOf<W extends string>(words: readonly W[], word: string): word is W {
  return (words as readonly string[]).includes(word);
}

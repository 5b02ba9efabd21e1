/**
 * Gossip between devices: own news on the own broker, peers' news from theirs over mutual TLS. Specification §5.1, §14.1.
 * Peers come and go with the members of the chain; each may say so much in a while (peer-allowance.ts).
 */
import { readFileSync } from 'node:fs';
import type { Connection } from '#protocol/mqtt-port.ts';
import type { Member } from '#protocol/network.ts';
import {
  ANCHOR_KIND,
  ATTESTATION_KINDS,
  CHAIN_KINDS,
  parseTopic,
  topicFilter,
  topicOf,
  type AttestationKind,
  type ChainKind,
  type GossipKind,
  type NetworkLabel,
  type PeerKind,
  type TrustKind,
} from '#protocol/topics.ts';
import type { AnchorGossip } from './anchors/ports.ts';
import type { Gossip } from './attestation/ports.ts';
import { PEER_LIMITS } from './limits.ts';
import type { Authority } from './mqtt/authority.ts';
import { isAuthorityCertificate, pemOf } from './mqtt/certificate.ts';
import { connect } from './mqtt/connection.ts';
import { fullAllowance, isFlooding, judgeArrival, type Allowance } from './peer-allowance.ts';
import type { Log } from './ports.ts';

type Heard<Kind> = (peerName: string, kind: Kind, payload: Uint8Array) => void;
type Reached = (peerName: string, reach: 'connected' | 'lost') => void;

export interface GossipNetwork {
  /** The port of attestation. A later one takes the place of the earlier, and is told what peers have retained. */
  attestation(): Gossip;
  /** Votes on anchors: this device's own, retained, and what each peer has retained of its own (§20.9). */
  anchors(): AnchorGossip;
  /** Says something about the chain to all peers; retained is what a peer that connects later must know. */
  broadcast(kind: ChainKind | TrustKind, payload: Uint8Array, retain: boolean): void;
  /** Says something to one peer alone. */
  tell(peerName: string, kind: PeerKind, payload: Uint8Array): void;
  /** What peers say about the chain, to all or (`response`) to this device. */
  onChain(handler: Heard<ChainKind | 'response'>): void;
  /** What peers say as judges of members. */
  onVerdict(handler: (peerName: string, payload: Uint8Array) => void): void;
  /** What peers say to this device alone about capsules. */
  onPeer(handler: Heard<Exclude<PeerKind, 'response'>>): void;
  onReach(handler: Reached): void;
  /** Whether the broker of a peer can be reached at the moment. */
  isReached(peerName: string): boolean;
  /** Whom to follow from now on: connections to others are closed. Never the device itself. */
  setPeers(members: readonly Member[]): void;
  close(): Promise<void>;
}

export interface GossipRequest {
  /** The connection to the device's own broker. */
  readonly own: Connection;
  readonly network: NetworkLabel;
  /** The device's name. */
  readonly device: string;
  readonly authority: Authority;
  readonly log: Log;
}

export function joinGossip(request: GossipRequest, members: readonly Member[]): GossipNetwork {
  const { own, network, device } = request;
  const room = new GossipRoom(request);
  room.setPeers(members);
  return {
    attestation: () => ({
      publish: async (kind, payload, retain) => {
        await own.publish(topicOf(network, { to: 'gossip', kind }), payload, { retain });
      },
      onMessage: (handler) => room.hearAttestation(handler),
    }),
    anchors: () => ({
      say: (payload) => void own.publish(topicOf(network, { to: 'gossip', kind: ANCHOR_KIND }), payload, { retain: true }),
      onHeard: (handler) => room.hearAnchors(handler),
    }),
    broadcast: (kind, payload, retain) =>
      void own.publish(topicOf(network, { to: 'gossip', kind }), payload, retain ? { retain } : { atMostOnce: true }),
    tell: (peer, kind, payload) =>
      void own.publish(topicOf(network, { to: 'peer', device, peer, kind }), payload, kind === 'response' ? { atMostOnce: true } : {}),
    onChain: (handler) => room.hearChain(handler),
    onVerdict: (handler) => room.verdictHandlers.push(handler),
    onPeer: (handler) => room.peerHandlers.push(handler),
    onReach: (handler) => room.reachHandlers.push(handler),
    isReached: (peer) => room.isReached(peer),
    setPeers: (current) => room.setPeers(current),
    close: () => room.close(),
  };
}

/** Kinds of which the last one counts, whoever listens later. */
const STANDING_KINDS: ReadonlySet<string> = new Set([...ATTESTATION_KINDS, ANCHOR_KIND, 'head', 'voucher']);

interface FollowedPeer {
  readonly member: Member;
  connection: Connection;
  allowance: Allowance;
  /** Of the monotonic clock. */
  loggedAtMs: number;
  /** What the peer has retained, as it was last heard: whoever listens later would not hear it again for minutes. */
  readonly standing: Map<GossipKind, Uint8Array>;
  pause: NodeJS.Timeout | undefined;
}

class GossipRoom {
  readonly peerHandlers: Heard<Exclude<PeerKind, 'response'>>[] = [];
  readonly reachHandlers: Reached[] = [];
  readonly verdictHandlers: ((peerName: string, payload: Uint8Array) => void)[] = [];
  readonly #request: GossipRequest;
  readonly #peers = new Map<string, FollowedPeer>();
  readonly #closing = new Set<Promise<void>>();
  #attestation: Heard<AttestationKind> | undefined;
  #chain: Heard<ChainKind | 'response'> | undefined;
  #anchors: ((peerName: string, payload: Uint8Array) => void) | undefined;

  constructor(request: GossipRequest) {
    this.#request = request;
  }

  hearAttestation(handler: Heard<AttestationKind>): void {
    this.#attestation = handler;
    this.#repeat((peer, kind, payload) => isAttestationKind(kind) && handler(peer, kind, payload));
  }

  hearChain(handler: Heard<ChainKind | 'response'>): void {
    this.#chain = handler;
    this.#repeat((peer, kind, payload) => isChainKind(kind) && handler(peer, kind, payload));
  }

  hearAnchors(handler: (peerName: string, payload: Uint8Array) => void): void {
    this.#anchors = handler;
    this.#repeat((peer, kind, payload) => kind === ANCHOR_KIND && handler(peer, payload));
  }

  isReached(name: string): boolean {
    return this.#peers.get(name)?.connection.state === 'connected';
  }

  setPeers(members: readonly Member[]): void {
    const others = members.filter(({ name, peersAuthority }) => name !== this.#request.device && isAuthorityCertificate(peersAuthority));
    const wanted = new Map(others.map((member) => [member.name, member]));
    for (const [name, { member }] of this.#peers) if (!isSame(member, wanted.get(name))) this.#drop(name);
    for (const [name, member] of wanted) if (!this.#peers.has(name)) this.#add(member);
  }

  async close(): Promise<void> {
    for (const name of [...this.#peers.keys()]) this.#drop(name);
    await Promise.all(this.#closing);
  }

  #add(member: Member): void {
    const connection = this.#connect(member);
    if (!connection) return;
    const peer: FollowedPeer = {
      member,
      connection,
      allowance: fullAllowance(performance.now()),
      loggedAtMs: -Infinity,
      standing: new Map(),
      pause: undefined,
    };
    this.#peers.set(member.name, peer);
    this.#follow(peer);
  }

  #drop(name: string): void {
    const peer = this.#peers.get(name);
    if (!peer) return;
    this.#peers.delete(name);
    clearTimeout(peer.pause);
    this.#end(peer.connection);
  }

  #end(connection: Connection): void {
    const closing = connection.close();
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }

  /** Undefined where the address can't be opened: address and authority are the member's own words, which may end no device. */
  #connect(member: Member): Connection | undefined {
    const { authority, log } = this.#request;
    const [certificate, key] = [readFileSync(authority.peer.certificateFile), readFileSync(authority.peer.keyFile)];
    const { peersUrl: url, name: server } = member;
    try {
      return connect({ url, authority: pemOf('CERTIFICATE', member.peersAuthority), server, certificate, key });
    } catch (error) {
      log('peerAddressUnusable', { peer: server, url, error: error instanceof Error ? error.message : 'unknown' });
      return undefined;
    }
  }

  /** A peer that isn't there yet is waited for; the subscriptions stand when it comes. */
  #follow(peer: FollowedPeer): void {
    const { network, device, log } = this.#request;
    const { connection } = peer;
    const { name } = peer.member;
    const refused = (error: unknown): void => {
      if (connection.state !== 'closed')
        log('peerSubscriptionFailed', { peer: name, error: error instanceof Error ? error.message : 'unknown' });
    };
    connection
      .subscribe(topicFilter(network, 'gossip', '+'), ({ topic, payload }) => {
        const parsed = parseTopic(network, topic);
        if (parsed?.to === 'gossip') this.#arrived(peer, connection, parsed.kind, payload);
      })
      .catch(refused);
    connection
      .subscribe(topicFilter(network, name, 'peers', device, '+'), ({ topic, payload }) => {
        const parsed = parseTopic(network, topic);
        if (parsed?.to === 'peer') this.#arrived(peer, connection, parsed.kind, payload);
      })
      .catch(refused);
    connection.onState((state, reason) => {
      if (state !== 'connected' && state !== 'lost') return;
      log(state === 'connected' ? 'peerReached' : 'peerLost', { peer: name, ...(state === 'lost' ? { reason } : {}) });
      for (const handler of this.reachHandlers) handler(name, state);
    });
  }

  #arrived(peer: FollowedPeer, connection: Connection, kind: GossipKind | PeerKind, payload: Uint8Array): void {
    if (peer.connection !== connection || this.#peers.get(peer.member.name) !== peer) return;
    const verdict = judgeArrival(peer.allowance, kind, payload.length, performance.now());
    peer.allowance = verdict.allowance;
    if (verdict.status === 'refused') return this.#turnAway(peer, kind, verdict.reason);
    this.#deliver(peer, kind, payload);
  }

  #deliver(peer: FollowedPeer, kind: GossipKind | PeerKind, payload: Uint8Array): void {
    const { name } = peer.member;
    if (STANDING_KINDS.has(kind)) peer.standing.set(kind as GossipKind, payload);
    if (isAttestationKind(kind)) this.#attestation?.(name, kind, payload);
    else if (kind === ANCHOR_KIND) this.#anchors?.(name, payload);
    else if (kind === 'order' || kind === 'news' || kind === 'need' || kind === 'chunk')
      for (const handler of this.peerHandlers) handler(name, kind, payload);
    else if (kind === 'verdict') for (const handler of this.verdictHandlers) handler(name, payload);
    else this.#chain?.(name, kind, payload);
  }

  #turnAway(peer: FollowedPeer, kind: string, reason: string): void {
    const { name } = peer.member;
    const nowMs = performance.now();
    if (nowMs - peer.loggedAtMs >= PEER_LIMITS.logEveryMs) {
      peer.loggedAtMs = nowMs;
      this.#request.log('peerTurnedAway', { peer: name, kind, reason });
    }
    if (!isFlooding(peer.allowance) || peer.pause !== undefined) return;
    this.#request.log('peerLeftAlone', { peer: name, forMs: PEER_LIMITS.pauseMs });
    this.#end(peer.connection);
    peer.pause = setTimeout(() => this.#resume(peer), PEER_LIMITS.pauseMs);
  }

  #resume(peer: FollowedPeer): void {
    peer.pause = undefined;
    if (this.#peers.get(peer.member.name) !== peer) return;
    const connection = this.#connect(peer.member);
    if (!connection) return this.#drop(peer.member.name);
    peer.connection = connection;
    peer.allowance = fullAllowance(performance.now());
    this.#follow(peer);
  }

  #repeat(handler: Heard<GossipKind>): void {
    for (const [name, { standing }] of this.#peers) for (const [kind, payload] of standing) handler(name, kind, payload);
  }
}

function isAttestationKind(kind: GossipKind | PeerKind): kind is AttestationKind {
  return (ATTESTATION_KINDS as readonly string[]).includes(kind);
}

function isChainKind(kind: GossipKind): kind is ChainKind {
  return (CHAIN_KINDS as readonly string[]).includes(kind);
}

function isSame(member: Member, other: Member | undefined): boolean {
  return (
    other !== undefined &&
    member.peersUrl === other.peersUrl &&
    pemOf('CERTIFICATE', member.peersAuthority) === pemOf('CERTIFICATE', other.peersAuthority)
  );
}

/** Gossip between devices: own news on the own broker, peers' news from theirs over mutual TLS. Specification §5.1. */
import { readFileSync } from 'node:fs';
import type { Connection } from '#protocol/mqtt-port.ts';
import { networkLabel, type Member, type Network } from '#protocol/network.ts';
import { parseTopic, topicFilter, topicOf, type GossipKind } from '#protocol/topics.ts';
import type { Gossip } from './attestation/ports.ts';
import type { Authority } from './mqtt/authority.ts';
import { pemOf } from './mqtt/certificate.ts';
import { connect } from './mqtt/connection.ts';
import type { Log } from './ports.ts';

type Handler = (peerName: string, kind: GossipKind, payload: Uint8Array) => void;

export interface GossipNetwork extends Gossip {
  close(): Promise<void>;
}

/** @param own the connection to the device's own broker */
export function joinGossip(own: Connection, network: Network, device: string, authority: Authority, log: Log): GossipNetwork {
  const label = networkLabel(network);
  const handlers: Handler[] = [];
  // Peers' retained news may come before anybody listens, and would not come again for minutes.
  const early = new Map<string, Parameters<Handler>>();
  const hear: Handler = (peer, kind, payload) => {
    if (handlers.length === 0) early.set(`${peer}/${kind}`, [peer, kind, payload]);
    for (const handler of handlers) handler(peer, kind, payload);
  };
  const peers = network.members.filter((member) => member.name !== device).map((member) => follow(member, label, authority, hear, log));
  return {
    publish: async (kind, payload, retain) => {
      await own.publish(topicOf(label, { to: 'gossip', kind }), payload, { retain });
    },
    onMessage: (handler) => {
      handlers.push(handler);
      for (const message of early.values()) handler(...message);
      early.clear();
    },
    close: async () => {
      await Promise.all(peers.map((peer) => peer.close()));
    },
  };
}

function follow(member: Member, label: string, authority: Authority, hear: Handler, log: Log): Connection {
  const connection = connect({
    url: member.peersUrl,
    authority: pemOf('CERTIFICATE', member.peersAuthority),
    server: member.name,
    certificate: readFileSync(authority.peer.certificateFile),
    key: readFileSync(authority.peer.keyFile),
  });
  connection.onState((state, reason) => {
    if (state === 'connected' || state === 'lost')
      log(state === 'connected' ? 'peerReached' : 'peerLost', { peer: member.name, ...(state === 'lost' ? { reason } : {}) });
  });
  // A peer that isn't there yet is waited for; the subscription stands when it comes.
  void connection.subscribe(topicFilter(label, 'gossip', '+'), (message) => {
    const topic = parseTopic(label, message.topic);
    if (topic?.to === 'gossip') hear(member.name, topic.kind, message.payload);
  });
  return connection;
}

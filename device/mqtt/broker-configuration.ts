/**
 * What Mosquitto is told, as text: its configuration, with the rights of access-rights.ts on each listener. Specification §5.3.
 *
 * One listener for each trust domain, so that who may connect says what the name in a certificate means. Client ids are
 * left free, because a client that watches in one shell and sends in another needs two; taking over a foreign id brings
 * no foreign right, since rights follow the certificate, and our own programs use ids that nobody can guess. With the
 * name as id (`use_username_as_clientid`) a client could end the connection of a peer of its choice.
 */
import { LIMITS } from '#protocol/limits.ts';
import { PAIRING_ROOT, type NetworkLabel } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { RELAY_LIMITS } from '../relay/limits.ts';
import { boxRights, clientRights, localRights, pairingRights, peerRights, type BoxPeople } from './access-rights.ts';
import { lines, plain } from './configuration-text.ts';

/** File names, relative to the broker's folder, and what they hold. The configuration itself is `mosquitto.conf`. */
export type BrokerFiles = ReadonlyMap<string, string>;

export const CONFIGURATION_FILE = 'mosquitto.conf';

export interface Ports {
  readonly clients: number;
  readonly boxes: number;
  readonly peers: number;
  readonly pairing: number;
}

interface Place {
  readonly network: NetworkLabel;
  readonly device: string;
  /** Absolute; the files lie in it. */
  readonly folder: string;
  /** Unix socket for the firmware itself, absolute. */
  readonly socket: string;
  /** The account that runs the broker: the firmware's own, or it couldn't read the keys. */
  readonly runner: string;
  /** Address to listen at; absent means every interface. */
  readonly address?: string;
  readonly ports: Ports;
  /** Whether boxes come through another broker as well, whose connections take no place from others (§5.7). */
  readonly relayed?: boolean;
  readonly serverCertificateFile: string;
  readonly serverKeyFile: string;
}

export interface DeviceBrokerPlan extends Place {
  readonly clientAuthorityFile: string;
  readonly boxAuthorityFile: string;
  /** `peerTrust` of authority.ts, PEM. */
  readonly peerAuthorities: string;
  /** Revocation lists, PEM. */
  readonly clientRevocations: string;
  readonly boxRevocations: string;
  readonly people: BoxPeople;
  /** Names of boxes that are cut off (§17.2). */
  readonly fenced: readonly string[];
  /** Names of boxes that are left alone for a while (§6.7). */
  readonly silenced: readonly string[];
}

export function boxConnectionsMax({ relayed = false }: Pick<Place, 'relayed'>): number {
  return MQTT_LIMITS.boxConnectionsMax + (relayed ? RELAY_LIMITS.sessionsMax.boxes : 0);
}

export function pairingConnectionsMax({ relayed = false }: Pick<Place, 'relayed'>): number {
  return MQTT_LIMITS.pairingConnectionsMax + (relayed ? RELAY_LIMITS.sessionsMax.pairing : 0);
}

/** The broker that is always there: the firmware, clients, boxes, peers. */
export function deviceBrokerFiles(plan: DeviceBrokerPlan): BrokerFiles {
  const at = (file: string): string => `${plan.folder}/${file}`;
  const configuration = [
    ...settings(plan, { memoryBytesMax: MQTT_LIMITS.brokerMemoryBytesMax, retain: true }),
    ...certifiedListener(plan, 'clients', MQTT_LIMITS.clientConnectionsMax, plan.clientAuthorityFile, at('clients.crl.pem')),
    ...certifiedListener(plan, 'boxes', boxConnectionsMax(plan), plan.boxAuthorityFile, at('boxes.crl.pem')),
    ...certifiedListener(plan, 'peers', MQTT_LIMITS.peerConnectionsMax, at('peers.pem')),
    ...localListener(plan),
  ];
  return new Map([
    [CONFIGURATION_FILE, lines(configuration)],
    ['clients.rights', lines(clientRights(plan))],
    ['boxes.rights', lines(boxRights(plan))],
    ['peers.rights', lines(peerRights(plan.network, plan.device))],
    ['local.rights', lines(localRights(plan.network, plan.people))],
    ['peers.pem', plan.peerAuthorities],
    ['clients.crl.pem', plan.clientRevocations],
    ['boxes.crl.pem', plan.boxRevocations],
  ]);
}

/**
 * The broker that is there only while a pairing window is open. Whoever reaches its port may connect, so it is a process of
 * its own: strangers share neither memory, nor retained messages, nor sessions, nor client ids with boxes and clients.
 */
export function pairingBrokerFiles(plan: Place): BrokerFiles {
  const configuration = [
    ...settings(plan, { memoryBytesMax: MQTT_LIMITS.pairingBrokerMemoryBytesMax, retain: false }),
    ...listener(plan, 'pairing', pairingConnectionsMax(plan)),
    'allow_anonymous true',
    ...localListener(plan),
  ];
  return new Map([
    [CONFIGURATION_FILE, lines(configuration)],
    ['pairing.rights', lines(pairingRights())],
    ['local.rights', lines([`pattern readwrite ${PAIRING_ROOT}/#`])],
  ]);
}

function settings(plan: Place, how: { memoryBytesMax: number; retain: boolean }): string[] {
  return [
    'per_listener_settings true',
    `user ${plain(plan.runner)}`,
    // What must survive is stored and sent again by the application; what is retained, the firmware publishes at start.
    'persistence false',
    `retain_available ${how.retain}`,
    'sys_interval 0',
    'log_dest stderr',
    'log_timestamp false',
    ...['error', 'warning', 'notice', 'information'].map((type) => `log_type ${type}`),
    'set_tcp_nodelay true',
    `max_packet_size ${LIMITS.packetBytesMax}`,
    `max_inflight_messages ${MQTT_LIMITS.brokerInflightMax}`,
    `max_inflight_bytes ${MQTT_LIMITS.brokerInflightBytesMax}`,
    `max_queued_messages ${MQTT_LIMITS.brokerQueuedMessagesMax}`,
    `max_queued_bytes ${MQTT_LIMITS.brokerQueuedBytesMax}`,
    `max_keepalive ${MQTT_LIMITS.brokerKeepAliveSecondsMax}`,
    `memory_limit ${how.memoryBytesMax}`,
    // Sessions of clients that never come back; an hour is the least that Mosquitto knows.
    'persistent_client_expiration 1h',
  ];
}

function certifiedListener(
  plan: Place,
  name: 'clients' | 'boxes' | 'peers',
  connectionsMax: number,
  authorityFile: string,
  revocationFile?: string,
): string[] {
  return [
    ...listener(plan, name, connectionsMax),
    'allow_anonymous false',
    `cafile ${plain(authorityFile)}`,
    'require_certificate true',
    'use_identity_as_username true',
    ...(revocationFile === undefined ? [] : [`crlfile ${plain(revocationFile)}`]),
  ];
}

function listener(plan: Place, name: keyof Ports, connectionsMax: number): string[] {
  return [
    '',
    `listener ${plan.ports[name]}${plan.address === undefined ? '' : ` ${plain(plan.address)}`}`,
    `max_connections ${connectionsMax}`,
    `acl_file ${plain(plan.folder)}/${name}.rights`,
    `certfile ${plain(plan.serverCertificateFile)}`,
    `keyfile ${plain(plan.serverKeyFile)}`,
    'tls_version tlsv1.3',
  ];
}

/** The last listener: when it answers, the others are open. Its folder lets nobody in but the firmware's account. */
function localListener(plan: Place): string[] {
  return ['', `listener 0 ${plain(plan.socket)}`, 'allow_anonymous true', `acl_file ${plain(plan.folder)}/local.rights`];
}

/**
 * Who holds how many connections, by the log of Mosquitto 2.0, which has no limit for one certificate. Pure. Specification §5.3.
 *
 * A line names source and port of the listener, the next one source, client id and certificate; ids are other people's text, so a
 * name is taken only from the end of its line, and an end of a connection is read as a whole line: an id that begins like the line of
 * another's end can't be taken for it. An end that the log does not show costs nothing: to end it again does no harm.
 */
import { MQTT_LIMITS } from '../limits.ts';
import type { Ports } from './broker-configuration.ts';

export type CertifiedListener = 'clients' | 'boxes' | 'peers';

/** One connection more than its certificate may hold. */
export interface Surplus {
  readonly listener: CertifiedListener;
  /** Common name of the certificate. */
  readonly name: string;
  readonly clientId: string;
}

/** A certificate was let in. */
export interface Entry {
  readonly listener: CertifiedListener;
  readonly name: string;
  /** `address:port` from which it comes. */
  readonly source: string;
}

export interface ConnectionTally {
  readonly listeners: ReadonlyMap<number, CertifiedListener>;
  /** Listener by source, of those that have not shown their client id yet; the oldest first. */
  readonly arriving: Map<string, CertifiedListener>;
  /** By client id, the oldest first. */
  readonly open: Map<string, Surplus>;
  readonly onEntry: (entry: Entry) => void;
}

export function newTally({ clients, boxes, peers }: Ports, onEntry: ConnectionTally['onEntry'] = () => undefined): ConnectionTally {
  const listeners = new Map<number, CertifiedListener>([
    [clients, 'clients'],
    [boxes, 'boxes'],
    [peers, 'peers'],
  ]);
  return { listeners, arriving: new Map(), open: new Map(), onEntry };
}

/** Takes note of a line. @returns the oldest connection of a certificate that has one too many by it */
export function noteLine(tally: ConnectionTally, line: string): Surplus | undefined {
  const { listeners, arriving, open } = tally;
  const knock = /^New connection from (\S+) on port (\d+)\.$/.exec(line);
  const listener = listeners.get(Number(knock?.[2]));
  if (knock?.[1] !== undefined && listener) {
    arriving.set(knock[1], listener);
    const [oldest] = arriving.keys();
    if (arriving.size > MQTT_LIMITS.arrivingConnectionsMax && oldest !== undefined) arriving.delete(oldest);
    return undefined;
  }
  const entry = /^New client connected from (\S+) as (.*) \(p\d, c\d, k\d+, u'([^']*)'\)\.$/.exec(line);
  if (entry) return entered(tally, entry[1] ?? '', { clientId: entry[2] ?? '', name: entry[3] ?? '' });
  if (/^mosquitto version \S+ starting$/.test(line)) {
    arriving.clear();
    open.clear();
  }
  const left = idAtStartOf(line, open);
  if (left !== undefined) open.delete(left);
  return undefined;
}

function entered(tally: ConnectionTally, source: string, who: { readonly clientId: string; readonly name: string }): Surplus | undefined {
  const { arriving, open } = tally;
  const listener = arriving.get(source);
  arriving.delete(source);
  if (!listener) return undefined;
  tally.onEntry({ listener, name: who.name, source });
  open.delete(who.clientId);
  open.set(who.clientId, { listener, ...who });
  const own = [...open.values()].filter((other) => other.listener === listener && other.name === who.name);
  if (own.length <= MQTT_LIMITS.connectionsPerCertificateMax[listener]) return undefined;
  const [oldest] = own;
  if (oldest) open.delete(oldest.clientId);
  return oldest;
}

/** What Mosquitto 2.0 writes behind the id of a connection that is over; none of these ends like another, so a line is read in one way. */
const endings: readonly string[] = [
  ...[' disconnected.', ' closed its connection.', ' disconnected, not authorised.', ' has exceeded timeout, disconnecting.'],
  ...[' already connected, closing old connection.', ' been disconnected by administrative action.'],
  ...[
    'malformed packet',
    'protocol error',
    'oversize packet',
    'oversize payload',
    'out of memory',
    'QoS too high or retain not supported',
  ].map((reason) => ` disconnected due to ${reason}.`),
  ...['Connection reset by peer', 'Broken pipe', 'Connection timed out', 'No route to host'].map((reason) => ` disconnected: ${reason}.`),
];

/** The id whose connection is over by this line. */
function idAtStartOf(line: string, open: ReadonlyMap<string, Surplus>): string | undefined {
  if (!line.startsWith('Client ')) return undefined;
  const ending = endings.find((one) => line.endsWith(one));
  const id = ending && line.slice('Client '.length, -ending.length);
  return id !== undefined && open.has(id) ? id : undefined;
}

/**
 * Holds each certificate to its number of connections at the own broker. Specification §5.3. Mosquitto 2.0 can't: the option that makes
 * the name the client id would let any client take over the connection of a peer, since ids of all listeners are one namespace. A
 * connection too many is ended by taking its client id over at the firmware's own socket.
 */
import { MQTT_LIMITS } from '../limits.ts';
import type { Ports } from './broker-configuration.ts';
import { newTally, noteLine, type Entry, type Surplus } from './connection-tally.ts';
import { connect } from './connection.ts';

export interface ConnectionLimit {
  /** A line of the broker's log. */
  heard(line: string): void;
  /** No connection is ended any more. */
  stop(): Promise<void>;
}

/** @param onSurplus told of each connection that is ended @param onEntry told of each that was let in */
export function limitConnections(
  socket: string,
  ports: Ports,
  onSurplus: (surplus: Surplus) => void,
  onEntry?: (entry: Entry) => void,
): ConnectionLimit {
  const tally = newTally(ports, onEntry);
  const waiting = new Map<string, Surplus>();
  let working: Promise<void> | undefined;
  let stopped = false;

  // One at a time: each is a descriptor of the broker, which has few to spare.
  const work = async (): Promise<void> => {
    for (let next = firstOf(waiting); next && !stopped; next = firstOf(waiting)) {
      waiting.delete(next.clientId);
      onSurplus(next);
      await takeOver(socket, next.clientId);
    }
    working = undefined;
  };
  return {
    heard(line) {
      const surplus = noteLine(tally, line);
      if (!surplus || stopped) return;
      waiting.set(surplus.clientId, surplus);
      working ??= work();
    },
    async stop() {
      stopped = true;
      await working;
    },
  };
}

function firstOf(waiting: ReadonlyMap<string, Surplus>): Surplus | undefined {
  return waiting.values().next().value;
}

/** A new connection with an id ends the one that has it, and its session with it (MQTT 5 §3.1.4). */
async function takeOver(socket: string, clientId: string): Promise<void> {
  const connection = connect({ socket }, { clientId });
  await connection.connected(MQTT_LIMITS.takeOverMs).catch(() => undefined);
  await connection.close();
}

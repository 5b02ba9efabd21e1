/**
 * The port to MQTT 5: what the programs of Capstan ask of a connection to a broker. Specification §5.4. One
 * adapter, `device/mqtt/connection.ts`, stands behind it; who may not import that is given a connection by its caller.
 */

/** `lost` is a state, not an end: the connection goes on trying until it is closed. */
export type ConnectionState = 'connecting' | 'connected' | 'lost' | 'closed';

/** A message as it came. Nothing in it but the topic is vouched for by the broker (§5.3). */
export interface Incoming {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from earlier: news of a state; a request that is retained is old or a trick. */
  readonly retained: boolean;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
}

export interface PublishOptions {
  readonly retain?: boolean;
  /**
   * With QoS 0: sent now or never, at most once, and `acknowledged` says no more than that it was sent. For what is out of date
   * soon and asked for where it is missing: a window of unacknowledged messages would only hold it up.
   */
  readonly atMostOnce?: boolean;
  /** After this the broker forgets the message rather than deliver it. */
  readonly expirySeconds?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
}

/**
 * `acknowledged` by the broker, which is not the other party; `refused` by the broker for lack of rights, or here because
 * no broker would take it (`protocol/publication.ts`); `dropped` here because too much waits or the connection was closed.
 */
export type PublishOutcome = 'acknowledged' | 'refused' | 'dropped';

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
}

export interface Connection {
  readonly state: ConnectionState;
  /** With QoS 1 unless told otherwise, so that it may arrive twice. Never rejects; waits while the connection is lost. */
  publish(topic: string, payload: Uint8Array, options?: PublishOptions): Promise<PublishOutcome>;
  /**
   * Every message of others that matches `filter` from now on, also after a reconnection; never one's own. Resolves when
   * the broker has confirmed the subscription, rejects when the connection is closed before. A handler that throws is a
   * fault of the program and stops it.
   */
  subscribe(filter: string, handler: (message: Incoming) => void): Promise<void>;
  /** `connected` is told when all subscriptions stand again; `reason` says in words why a connection was lost. */
  onState(listener: (state: ConnectionState, reason: string) => void): void;
  /** Resolves when connected; rejects after `waitMs` with the last reason why not. */
  connected(waitMs: number): Promise<void>;
  /** Sends what waits, for a moment, and ends. A clean end: the will is not published. */
  close(): Promise<void>;
}

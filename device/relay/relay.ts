/**
 * The device at a broker of somebody else, by which boxes come that reach no device: listens there for streams that are to be opened, and carries each
 * to a listener of its own broker, which alone decides who may do what. Specification §5.7.
 */
import { encodeBulk } from '#protocol/codec.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { isRelayOpen, RelayFrame, type RelayReason } from '#protocol/relay/frames.ts';
import { relayOpenedBy, relayOpenFilter, relayTopic, type RelayListener, type RelaySession } from '#protocol/topics.ts';
import { fullAllowance, spend } from '../allowance.ts';
import { LineLimit } from '../line-limit.ts';
import { connect, type OtherAddress } from '../mqtt/connection.ts';
import type { Log } from '../ports.ts';
import { RELAY_LIMITS } from './limits.ts';
import { RelayedStream, type StreamEnding } from './session.ts';

export interface RelayOptions {
  readonly other: OtherAddress;
  /** The name under which the device is known there. */
  readonly name: string;
  /** Where the device's own broker listens, on this machine. */
  readonly host: string;
  readonly ports: Readonly<Record<RelayListener, number>>;
  readonly log: Log;
  /** How long a box may take to show its certificate; by default `RELAY_LIMITS.unusedMs`. */
  readonly unusedMs?: number;
}

interface Stream {
  readonly listener: RelayListener;
  readonly relayed: RelayedStream;
  /** Whether the device's broker has let a certificate in by it. */
  isCertified: boolean;
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #streams = new Map<string, Stream>();
  /** Sessions that were there, the oldest first. */
  readonly #ended = new Set<string>();
  readonly #lines = new LineLimit(RELAY_LIMITS.linesPerMinute);
  readonly #tick: NodeJS.Timeout;
  #listening: Connection;
  #allowance = fullAllowance(RELAY_LIMITS.openings, performance.now());
  #pause: NodeJS.Timeout | undefined;
  #pauses = { times: 0, lastMs: -Infinity };
  #isStopped = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#listening = this.#listen();
    this.#tick = setInterval(() => this.#timePassed(), RELAY_LIMITS.tickMs);
  }

  /**
   * A certificate was let in by the device's broker.
   * @param source `address:port` from which it came
   * @returns whether it came through here
   */
  entered(source: string): boolean {
    const stream = [...this.#streams.values()].find(({ relayed }) => relayed.source === source);
    if (stream) stream.isCertified = true;
    return stream !== undefined;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#tick);
    clearTimeout(this.#pause);
    const leaving = [...this.#streams.values()].map(({ relayed }) => relayed.close('leaving'));
    await Promise.all([this.#listening.close(), ...leaving]);
  }

  #listen(): Connection {
    const { other, name, log } = this.#options;
    const connection = connect(other);
    connection.onState((state, reason) => {
      if (state === 'connected') log('relayConnected', { url: other.url, name });
      if (state === 'lost' && this.#takesLine('away')) log('relayAway', { url: other.url, reason });
    });
    connection
      .subscribe(relayOpenFilter(name), (message) => this.#heard(message))
      .catch((error: unknown) => {
        if (connection.state !== 'closed')
          log('relayRefused', { url: other.url, reason: error instanceof Error ? error.message : 'unknown' });
      });
    return connection;
  }

  #heard({ topic, payload, retained }: Incoming): void {
    if (this.#pause || this.#isStopped) return;
    const spending = spend(this.#allowance, RELAY_LIMITS.openings, payload.length, performance.now());
    this.#allowance = spending.allowance;
    if (spending.allowance.dropped >= RELAY_LIMITS.openingsDroppedMax) return this.#leaveAlone();
    const session = relayOpenedBy(topic);
    if (spending.status === 'refused' || !session || retained || !isRelayOpen(payload)) return;
    if (this.#streams.has(session.session) || this.#ended.has(session.session)) return;
    const among = [...this.#streams.values()].filter(({ listener }) => listener === session.listener);
    if (among.length >= RELAY_LIMITS.sessionsMax[session.listener]) this.#refuse(session, 'full');
    else this.#begin(session);
  }

  #begin(session: RelaySession): void {
    const { other, host, ports } = this.#options;
    const { listener } = session;
    const relayed = new RelayedStream({
      session,
      connection: connect(other),
      listener: { host, port: ports[listener] },
      nowMs: () => performance.now(),
      onOver: (how) => this.#ends(session, how),
    });
    this.#streams.set(session.session, { listener, relayed, isCertified: false });
  }

  #ends(session: RelaySession, how: StreamEnding): void {
    this.#streams.delete(session.session);
    this.#remember(session.session);
    const reason = typeof how === 'string' ? how : how.reason;
    if (['done', 'leaving', 'no-window'].includes(reason) || !this.#takesLine(reason)) return;
    this.#options.log('relayedStreamEnded', { listener: session.listener, reason });
  }

  #refuse(session: RelaySession, reason: RelayReason): void {
    this.#remember(session.session);
    const close = encodeBulk(RelayFrame, { frame: 'close', after: 0, reason });
    void this.#listening.publish(relayTopic(session, 'down'), close);
    if (this.#takesLine(reason)) this.#options.log('relayedStreamRefused', { listener: session.listener, reason });
  }

  #remember(session: string): void {
    this.#ended.add(session);
    const [oldest] = this.#ended;
    if (this.#ended.size > RELAY_LIMITS.endedMax && oldest !== undefined) this.#ended.delete(oldest);
  }

  #timePassed(): void {
    const atMs = performance.now();
    const { unusedMs = RELAY_LIMITS.unusedMs } = this.#options;
    for (const { listener, relayed, isCertified } of this.#streams.values()) {
      relayed.timePassed();
      const givenMs = listener === 'pairing' ? RELAY_LIMITS.pairingMs : isCertified ? Infinity : unusedMs;
      if (atMs - relayed.beganAtMs >= givenMs) void relayed.close('unused');
    }
  }

  /** Streams that are there have connections of their own, and go on. */
  #leaveAlone(): void {
    const atMs = performance.now();
    const { times, lastMs } = this.#pauses;
    this.#pauses = { times: atMs - lastMs > RELAY_LIMITS.forgivenMs ? 1 : times + 1, lastMs: atMs };
    const forMs = Math.min(RELAY_LIMITS.pauseMs * 2 ** Math.min(this.#pauses.times - 1, 16), RELAY_LIMITS.pauseMaxMs);
    this.#options.log('relayLeftAlone', { url: this.#options.other.url, forMs });
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#allowance = fullAllowance(RELAY_LIMITS.openings, performance.now());
      this.#listening = this.#listen();
    }, forMs);
    void this.#listening.close();
  }

  #takesLine(about: string): boolean {
    return this.#lines.takes(about, Date.now());
  }
}

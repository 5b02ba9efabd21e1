/** A broker in memory behind the port of `protocol/mqtt-port.ts`, which can lose, repeat and reorder messages. */
import type { Connection, ConnectionState, Incoming, PublishOptions, PublishOutcome } from '#protocol/mqtt-port.ts';

export type Fate = 'deliver' | 'drop' | 'twice' | 'late';

interface Subscriber {
  readonly filter: string;
  readonly handler: (message: Incoming) => void;
  readonly isUp: () => boolean;
}

export interface MemoryConnection extends Connection {
  lose(): void;
  restore(): void;
}

export class MemoryBroker {
  /** What becomes of a delivery. */
  fate: (message: Incoming) => Fate = () => 'deliver';
  /** Topics that the broker refuses to take. */
  refuses: (topic: string) => boolean = () => false;
  /** Everything that was published, in order. */
  readonly published: Incoming[] = [];
  readonly #subscribers: Subscriber[] = [];
  readonly #retained = new Map<string, Incoming>();

  connect(): MemoryConnection {
    let state: ConnectionState = 'connected';
    const listeners: ((state: ConnectionState, reason: string) => void)[] = [];
    const enter = (next: ConnectionState): void => {
      state = next;
      for (const listener of listeners) listener(next, 'test');
    };
    const isUp = (): boolean => state === 'connected';
    return {
      get state() {
        return state;
      },
      publish: (topic, payload, options) => Promise.resolve(isUp() ? this.#publish(topic, payload, options ?? {}) : 'dropped'),
      subscribe: (filter, handler) => Promise.resolve(this.#subscribe({ filter, handler, isUp })),
      onState: (listener) => void listeners.push(listener),
      connected: () => (isUp() ? Promise.resolve() : Promise.reject(new Error('no connection to memory: test'))),
      close: () => Promise.resolve(enter('closed')),
      lose: () => enter('lost'),
      restore: () => enter('connected'),
    };
  }

  #publish(topic: string, payload: Uint8Array, { retain = false, expirySeconds: _, ...properties }: PublishOptions): PublishOutcome {
    if (this.refuses(topic)) return 'refused';
    const message: Incoming = { topic, payload: Uint8Array.from(payload), retained: false, ...properties };
    this.published.push(message);
    if (retain) this.#retained.set(topic, { ...message, retained: true });
    for (const subscriber of this.#subscribers) if (matches(subscriber.filter, topic)) this.#deliver(subscriber, message);
    return 'acknowledged';
  }

  #subscribe(subscriber: Subscriber): void {
    this.#subscribers.push(subscriber);
    for (const message of this.#retained.values()) if (matches(subscriber.filter, message.topic)) this.#deliver(subscriber, message);
  }

  #deliver(subscriber: Subscriber, message: Incoming): void {
    const fate = this.fate(message);
    if (fate === 'drop') return;
    const hand = (): void => {
      if (subscriber.isUp()) subscriber.handler(message);
    };
    if (fate === 'late') setTimeout(hand, 5);
    else setImmediate(hand);
    if (fate === 'twice') setImmediate(hand);
  }
}

function matches(filter: string, topic: string): boolean {
  const levels = topic.split('/');
  const wanted = filter.split('/');
  return (
    wanted.every((level, index) => level === '#' || level === '+' || level === levels[index]) &&
    (wanted.at(-1) === '#' ? levels.length >= wanted.length : levels.length === wanted.length)
  );
}

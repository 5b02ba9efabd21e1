/**
 * A stream of this box to a listener of its device, through a broker of somebody else: what TLS runs over in place of a TCP connection.
 * Specification §5.7.
 */
import { randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import { encodeBulk } from '#protocol/codec.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import { decodeRelayFrame, RelayFrame, RelayOpen, type RelayReason } from '#protocol/relay/frames.ts';
import { StreamEnd, type StreamOver } from '#protocol/relay/stream-end.ts';
import { relayTopic, type RelayListener, type RelaySession } from '#protocol/topics.ts';
import { relayAnswerMs, relayOpenRepeatMs, relayTickMs } from './limits.ts';
import { connect, type OtherAddress } from './mqtt.ts';

/** How a box reaches its device through another broker. */
export interface Way {
  readonly other: OtherAddress;
  /** The name under which the device is known there. */
  readonly device: string;
}

/** A stream through another broker that broke, or did not come to be; the message says why. */
export class ThroughFailed extends Error {
  /** The owner of TLS passes on errors that have a code. */
  readonly code = 'through-failed';
}

/** Returns at once; what is written waits until the device has said yes. @param open how it connects to the other broker */
export function openRelayStream(
  { other, device }: Way,
  listener: RelayListener,
  open: (other: OtherAddress) => Connection = connect,
): Duplex {
  const session = { device, listener, session: randomBytes(16).toString('hex') };
  return new RelayStream(open(other), session, other.url);
}

class RelayStream extends Duplex {
  readonly #connection: Connection;
  readonly #session: RelaySession;
  readonly #url: string;
  readonly #end = new StreamEnd(performance.now());
  readonly #timers: NodeJS.Timeout[];
  #isAdmitted = false;
  #repeating: NodeJS.Timeout | undefined;
  #unread: Uint8Array[] = [];
  #isAskedFor = false;
  /** To be called when what was written last has been said. */
  #written: (() => void) | undefined;

  constructor(connection: Connection, session: RelaySession, url: string) {
    super({ allowHalfOpen: false });
    this.#connection = connection;
    this.#session = session;
    this.#url = url;
    this.#timers = [
      setInterval(() => this.#timePassed(), relayTickMs),
      setTimeout(() => {
        if (!this.#isAdmitted) this.#fail(`device ${session.device} does not answer there; is it running, with this broker as its relay?`);
      }, relayAnswerMs),
    ];
    connection.onState((state, reason) => {
      if (state === 'lost') this.#fail(reason || 'the connection to that broker is lost');
    });
    connection
      .subscribe(relayTopic(session, 'down'), (message) => this.#heard(message))
      .then(
        () => this.#ask(),
        (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)),
      );
  }

  override _read(): void {
    this.#isAskedFor = true;
    this.#flow();
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#end.write(bytes);
    this.#written = done;
    this.#flow();
  }

  override _final(done: () => void): void {
    this.#end.finish();
    this.#flow();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const timer of [...this.#timers, this.#repeating]) clearTimeout(timer);
    this.#end.close('done');
    this.#say();
    void this.#connection.close();
    done(error);
  }

  #ask(): void {
    if (this.destroyed) return;
    const say = (): void => this.#publish('open', encodeBulk(RelayOpen, { version: 1 }));
    this.#repeating = setInterval(say, relayOpenRepeatMs);
    say();
  }

  #heard({ payload, retained }: Incoming): void {
    if (this.destroyed) return;
    const decoded = decodeRelayFrame(payload);
    if (decoded.status === 'malformed' || retained) return this.#close('malformed');
    clearInterval(this.#repeating);
    this.#unread.push(...this.#end.hear(decoded.value, performance.now()));
    if (!this.#isAdmitted && decoded.value.frame === 'credit') {
      this.#isAdmitted = true;
      this.#end.admit();
    }
    this.#flow();
  }

  #timePassed(): void {
    this.#end.timePassed(performance.now());
    this.#flow();
  }

  #close(reason: RelayReason): void {
    this.#end.close(reason);
    this.#flow();
  }

  /** Hands on what is asked for, says what is to be said, and follows what has changed by it. */
  #flow(): void {
    while (this.#isAskedFor && this.#unread.length > 0) {
      // Whoever reads may ask for more before this returns.
      this.#isAskedFor = false;
      if (this.push(this.#unread.shift())) this.#isAskedFor = true;
      this.#end.handedOn(1);
    }
    this.#say();
    const written = this.#written;
    if (written && this.#end.waitingBytes === 0) {
      this.#written = undefined;
      written();
    }
    if (this.#end.over && this.#unread.length === 0 && !this.destroyed && !this.readableEnded) this.#over(this.#end.over);
  }

  /** What was handed on before a proper end may still wait to be read. */
  #over({ by, reason }: StreamOver): void {
    if (reason === 'done') this.push(null);
    else this.#fail(sentenceOf(by, reason, this.#session));
  }

  #say(): void {
    for (const frame of this.#end.frames(performance.now())) this.#publish('up', encodeBulk(RelayFrame, frame));
  }

  #publish(kind: 'open' | 'up', payload: Uint8Array): void {
    void this.#connection.publish(relayTopic(this.#session, kind), payload).then((outcome) => {
      if (outcome === 'refused') this.#fail(`it does not let this box write to ${relayTopic(this.#session, kind)}`);
      else if (outcome === 'dropped') this.#fail('too much waits for it');
    });
  }

  #fail(why: string): void {
    if (!this.destroyed) this.destroy(new ThroughFailed(`through ${this.#url}: ${why}`));
  }
}

function sentenceOf(by: 'here' | 'there', reason: RelayReason, { device, listener }: RelaySession): string {
  if (reason === 'no-window')
    return listener === 'pairing' ? `no window for pairing is open at device ${device}` : `the broker of device ${device} does not listen`;
  if (reason === 'full') return `device ${device} has no place for one more that comes this way`;
  if (reason === 'leaving') return `device ${device} stops`;
  return `the stream was ended by ${by === 'here' ? 'this box' : `device ${device}`}: ${reason}`;
}

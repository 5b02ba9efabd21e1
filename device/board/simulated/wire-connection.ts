/**
 * The connection of a simulated board to its rack: requests with answers, edges, and joining again when it broke. Owner of the
 * socket on the board's side. Specification §16.4.
 */
import { connect, type Socket } from 'node:net';
import { WIRE_LIMITS } from '../../limits.ts';
import { BoardSays, FrameReader, frameOf, RackSays, WIRES_VERSION, type WireRefusal } from './wires.ts';

export type Answer = Extract<RackSays, { say: 'answer' }>;
export type Edges = Extract<RackSays, { say: 'edges' }>;
type WithoutId<T> = T extends { id: number } ? Omit<T, 'id'> : never;
export type WireRequest = WithoutId<BoardSays>;

/** The rack has said no. */
export class WireRefused extends Error {
  readonly reason: WireRefusal;
  constructor(reason: WireRefusal, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

export interface WireListener {
  edges(edges: Edges): void;
  broken(error: Error): void;
  /** Joined again after it broke: what was claimed has to be claimed anew. */
  joinedAgain(): void;
}

interface OpenRequest {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class WireConnection {
  readonly #path: string;
  readonly #consumer: string;
  readonly #listeners = new Set<WireListener>();
  readonly #open = new Map<number, OpenRequest>();
  #socket: Socket | undefined;
  #rejoin: NodeJS.Timeout | undefined;
  #nextId = 0;
  #isClosed = false;

  private constructor(path: string, consumer: string) {
    this.#path = path;
    this.#consumer = consumer;
  }

  /** @param path of the socket of a box. @throws Error that says that no rack answers there */
  static async join(path: string, consumer: string): Promise<WireConnection> {
    const wires = new WireConnection(path, consumer);
    await wires.#join();
    return wires;
  }

  listen(listener: WireListener): void {
    this.#listeners.add(listener);
  }

  /** @throws WireRefused @throws Error when the wires are broken or nobody answers in time */
  ask(request: WireRequest): Promise<Answer> {
    if (this.#open.size >= WIRE_LIMITS.openRequestsMax) return Promise.reject(new Error('too much was asked of the wires at once'));
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) % 0x1_0000_0000;
    return new Promise((resolve, reject) => {
      const late = (): void => this.#break(new Error(`the rack did not answer within ${WIRE_LIMITS.answerMs} ms`));
      this.#open.set(id, { resolve, reject, timer: setTimeout(late, WIRE_LIMITS.answerMs) });
      try {
        this.say({ ...request, id });
      } catch (error) {
        this.#settle(id)?.reject(error as Error);
      }
    });
  }

  /** @throws Error when the wires are broken */
  say(message: BoardSays): void {
    if (!this.#socket) throw new Error(`the wires to the box are broken: no rack answers at ${this.#path}`);
    this.#socket.write(frameOf(BoardSays, message));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#rejoin);
    const socket = this.#socket;
    this.#lose(new Error('the wires were let go of'));
    // What was said last, such as the release of a button, still arrives.
    socket?.end();
  }

  async #join(): Promise<void> {
    const socket = connect(this.#path);
    const reader = new FrameReader(RackSays, WIRE_LIMITS.frameBytesMax);
    await new Promise<void>((resolve, reject) => {
      let isWelcome = false;
      const timer = setTimeout(() => socket.destroy(new Error('it said no welcome')), WIRE_LIMITS.answerMs);
      const lost = (error?: Error): void => {
        clearTimeout(timer);
        reject(new Error(`no rack answers at ${this.#path}: ${error?.message ?? 'it ended the connection'}`, { cause: error }));
        if (this.#socket === socket) this.#break(error ?? new Error('the rack ended the connection'));
      };
      socket.on('error', lost);
      socket.on('close', () => lost());
      socket.on('connect', () => socket.write(frameOf(BoardSays, { say: 'hello', version: WIRES_VERSION, consumer: this.#consumer })));
      socket.on('data', (piece: Uint8Array) => {
        const taken = reader.take(piece);
        for (const message of taken.messages) {
          if (isWelcome) this.#hear(message);
          else if (message.say === 'welcome' && message.version === WIRES_VERSION) {
            isWelcome = true;
            clearTimeout(timer);
            this.#socket = socket;
            resolve();
          } else socket.destroy(new Error(`it said "${message.say}" instead of welcome, or speaks another version`));
        }
        if (taken.status === 'garbage') socket.destroy(new Error(`it said garbage: ${taken.detail}`));
      });
    });
  }

  #hear(message: RackSays): void {
    if (message.say === 'edges') for (const listener of this.#listeners) listener.edges(message);
    else if (message.say === 'answer') this.#settle(message.id)?.resolve(message);
    else if (message.say === 'refused') this.#settle(message.id)?.reject(new WireRefused(message.reason, message.detail));
  }

  #settle(id: number): OpenRequest | undefined {
    const request = this.#open.get(id);
    clearTimeout(request?.timer);
    this.#open.delete(id);
    return request;
  }

  #break(error: Error): void {
    this.#socket?.destroy();
    if (!this.#lose(error) || this.#isClosed) return;
    for (const listener of this.#listeners) listener.broken(error);
    this.#joinLater();
  }

  /** @returns whether there was something to lose */
  #lose(error: Error): boolean {
    const wasJoined = this.#socket !== undefined;
    this.#socket = undefined;
    for (const id of [...this.#open.keys()]) this.#settle(id)?.reject(error);
    return wasJoined;
  }

  #joinLater(): void {
    this.#rejoin = setTimeout(() => {
      this.#join().then(
        () => {
          if (this.#isClosed) return void this.#socket?.destroy();
          for (const listener of this.#listeners) listener.joinedAgain();
        },
        () => this.#isClosed || this.#joinLater(),
      );
    }, WIRE_LIMITS.rejoinMs);
  }
}

/**
 * The rack's end of the wires of one box: a Unix socket at which boards claim lines and ask the bus. Specification §16.4.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { BoardSays, FrameReader, frameOf, RackSays, WIRES_VERSION, type WireRefusal } from '../../device/board/simulated/wires.ts';
import { WIRE_LIMITS } from '../../device/limits.ts';
import { RACK_LIMITS } from './limits.ts';

export type Level = 0 | 1;

/** The box, as its lines and its bus show it. */
export interface WiredEnd {
  readonly name: string;
  readonly isPowered: boolean;
  /** Undefined for a line that it does not have. */
  lineLevel(line: number): Level | undefined;
  /** A board drives a line; `by` holds it. */
  drive(line: number, level: Level): void;
  /** @returns undefined where nothing acknowledges */
  read(address: number, register: number, count: number): Uint8Array | undefined;
  write(address: number, register: number, bytes: Uint8Array): boolean;
}

interface Connection {
  readonly socket: Socket;
  consumer: string | undefined;
  readonly claims: Map<number, 'input' | 'output'>;
}

export type EdgeBatch = Omit<Extract<RackSays, { say: 'edges' }>, 'say'>;

export class BoxWires {
  readonly #box: WiredEnd;
  readonly #path: string;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #log: (event: string, fields: Record<string, string>) => void;

  private constructor(path: string, box: WiredEnd, log: (event: string, fields: Record<string, string>) => void) {
    this.#box = box;
    this.#path = path;
    this.#log = log;
    this.#server = createServer((socket) => this.#welcome(socket));
    this.#server.maxConnections = RACK_LIMITS.connectionsMax;
  }

  /** @throws Error with `code` when the socket can't be made */
  static async listen(path: string, box: WiredEnd, log: (event: string, fields: Record<string, string>) => void): Promise<BoxWires> {
    const wires = new BoxWires(path, box, log);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      wires.#server.once('error', reject);
      wires.#server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return wires;
  }

  /** Who holds a line as an input. */
  isSensed(line: number): boolean {
    return this.#holderOf(line)?.claims.get(line) === 'input';
  }

  /** Tells the board that senses a line. */
  tell(batch: EdgeBatch): void {
    const holder = this.#holderOf(batch.line);
    if (holder?.claims.get(batch.line) === 'input') this.#say(holder, { say: 'edges', ...batch });
  }

  close(): void {
    for (const { socket } of this.#connections) socket.destroy();
    this.#server.close();
    rmSync(this.#path, { force: true });
  }

  #welcome(socket: Socket): void {
    const connection: Connection = { socket, consumer: undefined, claims: new Map() };
    const reader = new FrameReader(BoardSays, WIRE_LIMITS.frameBytesMax);
    this.#connections.add(connection);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#lose(connection));
    socket.on('data', (piece: Uint8Array) => {
      const taken = reader.take(piece);
      for (const message of taken.messages) if (!socket.destroyed) this.#hear(connection, message);
      if (taken.status === 'garbage') this.#cut(connection, taken.detail);
    });
  }

  #hear(connection: Connection, message: BoardSays): void {
    if (message.say === 'hello') return this.#greet(connection, message);
    if (connection.consumer === undefined) return this.#cut(connection, `"${message.say}" before hello`);
    switch (message.say) {
      case 'claim':
        return this.#claim(connection, message);
      case 'set':
        if (connection.claims.get(message.line) !== 'output') return this.#cut(connection, `line ${message.line} set without a claim`);
        return this.#box.drive(message.line, message.level);
      case 'release':
        return this.#release(connection, message.line);
      case 'transfer':
        return this.#transfer(connection, message);
    }
  }

  #greet(connection: Connection, { version, consumer }: Extract<BoardSays, { say: 'hello' }>): void {
    if (version !== WIRES_VERSION || connection.consumer !== undefined)
      return this.#cut(connection, `hello of version ${version}, or a second one`);
    connection.consumer = consumer;
    this.#say(connection, { say: 'welcome', version: WIRES_VERSION, box: this.#box.name, isPowered: this.#box.isPowered });
  }

  #claim(connection: Connection, { id, line, direction, level }: Extract<BoardSays, { say: 'claim' }>): void {
    const now = this.#box.lineLevel(line);
    if (now === undefined) return this.#refuse(connection, id, 'no-such-line', `${this.#box.name} has no line ${line}`);
    const holder = this.#holderOf(line);
    if (holder && holder !== connection)
      return this.#refuse(connection, id, 'busy', `line ${line} is held by "${holder.consumer ?? ''}"; stop that first`);
    connection.claims.set(line, direction);
    if (direction === 'output') this.#box.drive(line, level ?? 0);
    this.#say(connection, { say: 'answer', id, level: direction === 'output' ? (level ?? 0) : now });
  }

  #release(connection: Connection, line: number): void {
    const direction = connection.claims.get(line);
    connection.claims.delete(line);
    if (direction === 'output') this.#box.drive(line, 0);
  }

  #transfer(connection: Connection, message: Extract<BoardSays, { say: 'transfer' }>): void {
    const { id, address, register, bytes, count } = message;
    if ((bytes === undefined) === (count === undefined)) return this.#cut(connection, 'a transfer that is not either a read or a write');
    const read = bytes === undefined ? this.#box.read(address, register, count ?? 1) : undefined;
    const isDone = bytes === undefined ? read !== undefined : this.#box.write(address, register, bytes);
    if (!isDone) return this.#refuse(connection, id, 'no-acknowledge', `nothing acknowledges at 0x${address.toString(16)}`);
    this.#say(connection, { say: 'answer', id, ...(read && { bytes: read }) });
  }

  #refuse(connection: Connection, id: number, reason: WireRefusal, detail: string): void {
    this.#say(connection, { say: 'refused', id, reason, detail });
  }

  #say({ socket }: Connection, message: RackSays): void {
    if (socket.destroyed) return;
    if (socket.writableLength > RACK_LIMITS.unreadBytesMax) return void socket.destroy();
    socket.write(frameOf(RackSays, message));
  }

  #cut({ socket, consumer }: Connection, reason: string): void {
    this.#log('wiresCut', { box: this.#box.name, consumer: consumer ?? '', reason });
    socket.destroy();
  }

  /** As the kernel does with the lines of a program that ends. */
  #lose(connection: Connection): void {
    this.#connections.delete(connection);
    for (const line of [...connection.claims.keys()]) this.#release(connection, line);
  }

  #holderOf(line: number): Connection | undefined {
    return [...this.#connections].find(({ claims }) => claims.has(line));
  }
}

/** What of johnny-five 2.1 is used here; the package has no declarations. */
declare module 'johnny-five/lib/board.js' {
  import type { EventEmitter } from 'node:events';

  interface BoardOptions {
    /** An IO plugin; see board-io.ts. */
    readonly io: object;
    /** Else it reads the terminal. */
    readonly repl: false;
    /** Else it writes to the terminal. */
    readonly debug: false;
    /** Else it ends the process by itself at SIGINT. */
    readonly sigint: false;
  }
  export default class Board extends EventEmitter {
    constructor(options: BoardOptions);
  }
}

declare module 'johnny-five/lib/pin.js' {
  import type Board from 'johnny-five/lib/board.js';

  /** An output, with mode 1; others are polled. */
  export default class Pin {
    constructor(options: { readonly pin: number; readonly board: Board; readonly mode: 1 });
    high(): this;
    low(): this;
  }
}

declare module 'johnny-five/lib/led/led.js' {
  import type Board from 'johnny-five/lib/board.js';

  export default class Led {
    constructor(options: { readonly pin: number; readonly board: Board });
    on(): this;
    off(): this;
    /** @param ms half a period; goes on until stop() */
    blink(ms: number): this;
    stop(): this;
  }
}

declare module 'johnny-five/lib/relay.js' {
  import type Board from 'johnny-five/lib/board.js';

  export default class Relay {
    /** @param options NC: the circuit is closed while the coil has no current */
    constructor(options: { readonly pin: number; readonly board: Board; readonly type: 'NO' | 'NC' });
    close(): this;
    open(): this;
    readonly isClosed: boolean;
  }
}

declare module 'johnny-five/lib/switch.js' {
  import type { EventEmitter } from 'node:events';
  import type Board from 'johnny-five/lib/board.js';

  /** Says `open` or `close` after 5 ms without an edge, and once at the start. */
  export default class Switch extends EventEmitter {
    constructor(options: { readonly pin: number; readonly board: Board; readonly type: 'NO' | 'NC'; readonly invert: boolean });
    readonly isOpen: boolean;
  }
}

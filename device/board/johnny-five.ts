/**
 * The components of johnny-five that a board is made of, on our IO plugin. Owner of the package. Specification §16.2.
 *
 * Its files are imported one by one: the package as a whole brings servos, compasses and a shell. Without an IO plugin it would ask for serialport
 * and firmata; package.json puts a small package that is there anyway in their place, so that neither comes along. Its sensors on
 * I2C and its display are not used: they know no errors of a bus, and keep a display's pauses by spinning before a byte has been sent.
 */
import { once } from 'node:events';
import Board from 'johnny-five/lib/board.js';
import Led from 'johnny-five/lib/led/led.js';
import Pin from 'johnny-five/lib/pin.js';
import Relay from 'johnny-five/lib/relay.js';
import Switch from 'johnny-five/lib/switch.js';
import type { BoardIo } from './board-io.ts';

export type { Led, Pin, Relay, Switch };

/** Makes components on the lines of a board; all of them are there while the plugin is open. */
export interface Components {
  pin(number: number): Pin;
  led(number: number): Led;
  relay(number: number, type: 'NO' | 'NC'): Relay;
  /** The kernel has turned the level where the line is active low: active is closed. */
  contact(number: number): Switch;
}

export async function openComponents(io: BoardIo): Promise<Components> {
  const board = new Board({ io, repl: false, debug: false, sigint: false });
  await once(board, 'ready');
  return {
    pin: (pin) => new Pin({ pin, board, mode: 1 }),
    led: (pin) => new Led({ pin, board }),
    relay: (pin, type) => new Relay({ pin, board, type }),
    contact: (pin) => new Switch({ pin, board, type: 'NC', invert: false }),
  };
}

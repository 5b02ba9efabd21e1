/** Asks a rack that runs. Specification §16.4. */
import { connect } from 'node:net';
import { FrameReader, frameOf } from '../../device/board/simulated/wires.ts';
import { RACK_LIMITS } from './limits.ts';
import { RackReply, RackRequest } from './rack-messages.ts';

/** No rack answers there. */
export class NoRack extends Error {}

/** @throws NoRack */
export function askRack(path: string, request: RackRequest): Promise<RackReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const reader = new FrameReader(RackReply, RACK_LIMITS.messageBytesMax);
    const fail = (what: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new NoRack(`no rack answers at ${path}: ${what}`, { cause }));
    };
    const timer = setTimeout(() => fail(`nothing came within ${RACK_LIMITS.answerMs / 1_000} s`), RACK_LIMITS.answerMs);
    socket.once('error', (error) => fail(error.message, error));
    socket.once('close', () => fail('it ended the connection'));
    socket.once('connect', () => socket.write(frameOf(RackRequest, request)));
    socket.on('data', (piece: Uint8Array) => {
      const taken = reader.take(piece);
      const [reply] = taken.messages;
      if (taken.status === 'garbage') return fail(taken.detail);
      if (!reply) return;
      clearTimeout(timer);
      socket.removeAllListeners('close');
      socket.end();
      resolve(reply);
    });
  });
}

/** The frames of simulated wires, whole, in pieces and as garbage. Specification §16.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BoardSays, FrameReader, frameOf, RackSays } from '../../../device/board/simulated/wires.ts';

const BYTES_MAX = 4_096;
const id = fc.integer({ min: 0, max: 0xffff_ffff });
const line = fc.integer({ min: 0, max: 63 });
const level = fc.constantFrom(0, 1);
const said = fc.oneof(
  fc.record({ say: fc.constant('hello'), version: fc.constant(1), consumer: fc.constantFrom('alpha', 'board read') }),
  fc.record({ say: fc.constant('claim'), id, line, direction: fc.constant('output'), level }),
  fc.record({ say: fc.constant('set'), line, level }),
  fc.record({ say: fc.constant('release'), line }),
  fc.record({
    say: fc.constant('transfer'),
    id,
    address: fc.constant(0x40),
    register: fc.constant(-1),
    count: fc.integer({ min: 1, max: 32 }),
  }),
) as fc.Arbitrary<BoardSays>;

test('messages come out as they went in, however the stream is cut (§16.4)', () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (messages, cuts) => {
      const stream = Uint8Array.from(messages.flatMap((message) => [...frameOf(BoardSays, message)]));
      const reader = new FrameReader(BoardSays, BYTES_MAX);
      const heard: BoardSays[] = [];
      for (let at = 0, cut = 0; at < stream.length; cut += 1) {
        const piece = stream.subarray(at, at + (cuts[cut % cuts.length] ?? 1));
        const taken = reader.take(piece);
        assert.equal(taken.status, 'taken');
        heard.push(...taken.messages);
        at += piece.length;
      }
      assert.deepEqual(
        heard,
        messages.map((message) => ({ ...message })),
      );
    }),
  );
});

test('garbage is refused with its reason, and nothing after it is taken (§16.4)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), said, (bytes, message) => {
      const reader = new FrameReader(RackSays, BYTES_MAX);
      const framed = new Uint8Array([0, 0, 0, bytes.length, ...bytes]);
      const first = reader.take(framed);
      if (first.status === 'taken') return;
      assert.notEqual(first.detail, '');
      assert.deepEqual(reader.take(frameOf(BoardSays, message)).messages, []);
    }),
  );
});

test('a frame of 0 or of more than 4,096 bytes is refused before it is waited for (§16.4)', () => {
  for (const head of [
    [0, 0, 0, 0],
    [0, 0, 0x10, 0x01],
    [0xff, 0xff, 0xff, 0xff],
  ]) {
    const taken = new FrameReader(BoardSays, BYTES_MAX).take(Uint8Array.from(head));
    assert.ok(taken.status === 'garbage' && taken.detail.includes('it must have 1 to 4096'), String(head));
  }
});

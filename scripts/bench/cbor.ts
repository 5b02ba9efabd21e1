/** A message encoded and decoded in strict form (cborg, specification §2.1) beside the bulk form (§2.3), written by cbor-x and read by cborg: it informs. */
import { Acceptance } from '#protocol/client-messages.ts';
import { decodeBulk, decodeStrict, encodeBulk, encodeStrict } from '#protocol/codec.ts';
import type { Benchmark } from './benchmark.ts';
import { madeAcceptance } from './made-acceptance.ts';
import { inTurns, perCpuSecond } from './rounds.ts';

export const cbor: Benchmark = {
  name: 'cbor',
  summary: 'strict CBOR there and back, per core, beside the bulk form',
  metric: 'strict CBOR there and back',
  run: async ({ rounds, quick }) => {
    const durationMs = quick ? 100 : 300;
    perCpuSecond(strict, durationMs);
    perCpuSecond(bulk, durationMs);
    const { ours, floor } = await inTurns(
      rounds,
      () => perCpuSecond(strict, durationMs),
      () => perCpuSecond(bulk, durationMs),
    );
    return [
      {
        status: 'measured',
        metric: 'strict CBOR there and back',
        unit: '/s',
        better: 'higher',
        ours,
        floor: { name: 'bulk form, cbor-x writes', samples: floor },
        note: 'per CPU-second; one acceptance of 8 fields, checked against its declaration in both forms',
      },
    ];
  },
};

const acceptance = madeAcceptance();

function strict(): void {
  require(decodeStrict(Acceptance, encodeStrict(Acceptance, acceptance), 4_096).status);
}

function bulk(): void {
  require(decodeBulk(Acceptance, encodeBulk(Acceptance, acceptance), 4_096).status);
}

function require(status: 'decoded' | 'malformed'): void {
  if (status === 'malformed') throw new Error('a good message is refused');
}

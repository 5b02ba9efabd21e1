/** A fan by its tachometer. Specification §16.3. */
import type { BoardIo } from './board-io.ts';
import type { FanLine } from './definition.ts';
import type { Sensor } from './sensor.ts';
import { fanDefinition } from './sensor-definitions.ts';
import { afterEdge, rpmOf, STILL } from './tachometer.ts';

const NS_PER_MS = 1_000_000n;
/** One pulse of the slowest fan that turns: 60 a minute with one pulse. */
const stillAfterMs = 1_000;

export function fan(definition: FanLine, io: BoardIo, pin: number): Sensor {
  let state = STILL;
  let failure: Error | undefined;
  io.watch(pin, {
    edge: (edge) => {
      failure = undefined;
      state = afterEdge(state, edge);
    },
    failed: (error) => {
      failure = error;
      state = STILL;
    },
  });
  const stillNs = BigInt(Math.max(stillAfterMs, definition.periodMs)) * NS_PER_MS;
  return {
    definitions: [fanDefinition(definition)],
    read: async () => {
      if (failure) {
        io.levelOf(pin); // throws while it can't be read
        failure = undefined;
      }
      const { rpm, state: next } = rpmOf(state, definition.pulsesPerRevolution, process.hrtime.bigint(), stillNs);
      state = next;
      return [{ value: rpm }];
    },
  };
}

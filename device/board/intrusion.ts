/** The switch that says whether the box is open. A cut wire of a normally closed one says so too. Specification §16.2. */
import type { BoardIo } from './board-io.ts';
import type { BoardLines } from './definition.ts';
import type { Components } from './johnny-five.ts';
import type { Sensor } from './sensor.ts';
import type { SensorDefinition } from './ports.ts';

type Intrusion = NonNullable<BoardLines['intrusion']>;

/** @param changed is told at once: 1 for open */
export function intrusion(
  { contact }: Intrusion,
  definition: SensorDefinition,
  { io, pin, components, changed }: { io: BoardIo; pin: number; components: Components; changed: (value: 0 | 1) => void },
): Sensor {
  const isOpenBox = (isContactOpen: boolean): 0 | 1 => (isContactOpen === (contact === 'normally-closed') ? 1 : 0);
  const level = (): 0 | 1 => isOpenBox(io.levelOf(pin) === 0);
  let last = level();
  const say = (value: 0 | 1): void => {
    if (value === last) return;
    last = value;
    changed(value);
  };
  const lid = components.contact(pin);
  lid.on('open', () => say(isOpenBox(true)));
  lid.on('close', () => say(isOpenBox(false)));
  return {
    definitions: [definition],
    read: async () => {
      const value = level();
      say(value);
      return [{ value }];
    },
  };
}

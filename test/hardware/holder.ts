/** A program that holds line 10 as an output and watches line 11, until it is killed. */
import process from 'node:process';
import { openChip } from '../../device/board/gpio.ts';

const chip = openChip('pinctrl-bcm2711');
chip.request({ offset: 10, direction: 'output', level: 1 });
chip.request({ offset: 11, direction: 'input' }).onEdge(
  () => undefined,
  (error) => {
    throw error;
  },
);
process.stdout.write('holding\n');

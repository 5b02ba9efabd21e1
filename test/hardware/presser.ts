/** A program that presses the power button of a box that is on for as long as board.yaml lets it, until it is ended. */
import process from 'node:process';
import { readBoard } from '../../device/board/board-file.ts';
import { linuxDevices } from '../../device/board/linux-devices.ts';
import { openWiredBox } from '../../device/board/wired-box.ts';
import { nameBusAsOnAPi } from './pi-bus.ts';

nameBusAsOnAPi();
const { definition } = await readBoard('raspberry-pi-4-slb9670');
const box = await openWiredBox(definition, linuxDevices, Date.now);
box.onChange((change) => {
  if (change.kind === 'power' && change.state === 'on') void box.power('hard-off').then(() => box.close());
});
process.stdout.write('open\n');

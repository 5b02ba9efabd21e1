/** The board of a device as its configuration names it: the wires to its box, and its display. Specification §16. */
import { BoardDisplay } from './board/board-display.ts';
import { readBoard } from './board/board-file.ts';
import type { BoardDefinition } from './board/definition.ts';
import type { Devices } from './board/devices.ts';
import { linuxDevices } from './board/linux-devices.ts';
import type { BoxHardware } from './board/ports.ts';
import { simulatedDevices } from './board/simulated/simulated-devices.ts';
import { openWiredBox } from './board/wired-box.ts';
import type { DeviceConfiguration } from './configuration.ts';

/** @throws Error that names the line, chip or bus that is missing or held */
export async function openBoard(configuration: DeviceConfiguration, display: BoardDisplay | undefined): Promise<BoxHardware> {
  const { board } = configuration;
  const { definition } = await readBoard(board);
  const devices = devicesOf(definition, configuration);
  if (!devices) throw new Error(`board ${board} is simulated: the configuration must say in "wires" where its wires end`);
  return openWiredBox(definition, devices, Date.now, display);
}

/** Of whatever board it is, with or without a box. @returns undefined where it has none */
export async function openDisplay(configuration: DeviceConfiguration): Promise<BoardDisplay | undefined> {
  const { definition } = await readBoard(configuration.board);
  const devices = devicesOf(definition, configuration);
  const { display, i2c } = definition;
  return devices && display && i2c && new BoardDisplay(display, i2c.bus, devices);
}

/** @returns undefined where simulated wires end nowhere */
function devicesOf({ io }: BoardDefinition, { wires, name }: DeviceConfiguration): Devices | undefined {
  if (io !== 'simulated') return linuxDevices;
  return wires === undefined ? undefined : simulatedDevices(wires, name);
}

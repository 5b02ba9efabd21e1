/** A board of this machine, or the simulated one with a rack of its own, for as long as a command needs it. */
import { listBoards, readBoard } from '../../device/board/board-file.ts';
import type { BoardDefinition } from '../../device/board/definition.ts';
import type { Devices } from '../../device/board/devices.ts';
import { linuxDevices } from '../../device/board/linux-devices.ts';
import type { BoxHardware } from '../../device/board/ports.ts';
import { simulatedDevices } from '../../device/board/simulated/simulated-devices.ts';
import { openWiredBox } from '../../device/board/wired-box.ts';
import { nearestAdvice, UsageError } from '../arguments.ts';
import { startOwnRack } from '../rack/own-rack.ts';

/** What is wrong with a board or this machine, in a sentence; exit status 1. */
export class BoardFailure extends Error {}

export const wiresOption = {
  value: 'SOCKET',
  help: 'of a simulated board: the wires of a box of a rack, DIR/rack/BOX.wires of a grid, whose device holds their lines while it runs (default: a box of its own)',
};

/** @throws UsageError for a board that there isn't, BoardFileError for one that is wrong */
export async function chosenBoard(name: string): Promise<BoardDefinition> {
  const boards = await listBoards();
  if (!boards.includes(name)) throw new UsageError(`there is no board "${name}"; ${nearestAdvice(name, boards)}`);
  return (await readBoard(name)).definition;
}

/** Opens those parts of the board that `definition` still has, and closes them. @throws BoardFailure with what is missing or held */
export async function withBoard<T>(
  definition: BoardDefinition,
  wires: string | undefined,
  work: (box: BoxHardware) => Promise<T>,
): Promise<T> {
  if (definition.io !== 'simulated') {
    if (wires !== undefined) throw new UsageError(`--wires is for a simulated board; ${definition.board} has real ones`);
    return opened(definition, linuxDevices, work);
  }
  if (wires !== undefined) return opened(definition, simulatedDevices(wires, 'npm run board'), work);
  const rack = await startOwnRack();
  try {
    return await opened(definition, simulatedDevices(rack.wires, 'npm run board'), work);
  } finally {
    await rack.stop();
  }
}

async function opened<T>(definition: BoardDefinition, devices: Devices, work: (box: BoxHardware) => Promise<T>): Promise<T> {
  const box = await openWiredBox(definition, devices, Date.now).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    const instead = why.includes(' is held by "') ? '. If that is a device: npm run box -- show BOX says what it senses' : '';
    throw new BoardFailure(`${definition.board} can't be opened here: ${why}${instead}`, { cause: error });
  });
  try {
    return await work(box);
  } finally {
    await box.close();
  }
}

/** A rack of one box without an agent, in this process: for whoever tries the simulated board without a grid. Specification §16.4. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RACK_LIMITS } from './limits.ts';
import type { AfterMains } from './mainboard.ts';
import type { RackLog } from './rack-box.ts';
import { startRack } from './rack.ts';

const idle = fileURLToPath(new URL('idle-system.ts', import.meta.url));

export interface OwnRack {
  readonly box: string;
  /** Of its box, for `simulatedDevices`. */
  readonly wires: string;
  /** For `askRack`. */
  readonly socket: string;
  /** Of the box. */
  readonly logFile: string;
  /** Its folder goes, too. May be called once. */
  stop(): Promise<void>;
}

/**
 * @param options.program arguments of Node: what runs on the box; nothing by default
 * @param options.afterMains `on`: the box is switched on at once
 * @param options.log nowhere by default
 */
export async function startOwnRack(
  options: { readonly program?: readonly string[]; readonly afterMains?: AfterMains; readonly log?: RackLog } = {},
): Promise<OwnRack> {
  const { program = [idle], afterMains = 'off', log = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), 'capstan-rack-'));
  const own = { box: 'box', wires: join(folder, 'box.wires'), socket: join(folder, 'own.rack.sock'), logFile: join(folder, 'box.log') };
  const box = { name: own.box, wires: own.wires, program: [...program], log: own.logFile, processId: join(folder, 'box.pid') };
  try {
    const rack = await startRack({ socket: own.socket, bootMs: RACK_LIMITS.bootMs, afterMains, boxes: [box] }, log);
    return {
      ...own,
      stop: async () => {
        await rack.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

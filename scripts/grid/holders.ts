/** Boxes and clients of a grid: paired with their devices where they aren't yet. Specification §5.6. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HolderKind } from '#protocol/pairing-code.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { HOLDER_FILES } from '../../hpc-agent/holder-files.ts';
import { pairHere } from '../pair/holder.ts';
import type { GridLayout } from './layout.ts';

/** Pairs `name` with a device that runs, unless that was done before. `folder` gets its keys and certificate. */
export async function ensurePaired(layout: GridLayout, device: string, kind: HolderKind, name: string, folder: string): Promise<void> {
  if (existsSync(join(folder, HOLDER_FILES.connection))) return;
  const state = layout.device(device);
  // A start that was cut off between the device's answer and our file: that certificate is of no use to anybody.
  new PairedNames(state).remove(kind, name, Date.now());
  await pairHere(state, kind, name, folder);
}

/** The native addon over tpm2-tss: built when its sources are newer than it is. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { SetupRefused, lastLines } from './report.mjs';

const builder = new URL('../build-addon.mjs', import.meta.url);

export async function buildNativeAddon(report, { check }) {
  if (check || !existsSync(builder)) return;
  await report.step('native addon', 'compiling the binding to tpm2-tss', async () => {
    try {
      const { buildAddon } = await import(builder.href);
      await buildAddon();
    } catch (error) {
      throw new SetupRefused(`the native addon could not be built:\n${lastLines(String(error?.stack ?? error))}`, 'node scripts/setup.mjs --verbose     shows more');
    }
  });
}

/** The addons that a build has left, relative to the root. */
export function builtAddons(root) {
  const folder = join(root, 'build');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.node')).map((name) => `build/${name}`) : [];
}

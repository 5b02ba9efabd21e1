/** The native addon over tpm2-tss: built when its sources are newer than it is. */
import { existsSync } from 'node:fs';

import { SetupRefused, lastLines } from './report.mjs';

const builder = new URL('../build-addon.mjs', import.meta.url);

/** @returns {Promise<string[]>} the files that have to be there from now on */
export async function buildNativeAddon(report, { check }) {
  if (check || !existsSync(builder)) return [];
  return report.step('native addon', 'compiling the binding to tpm2-tss where its sources have changed', async () => {
    try {
      const { buildAddon } = await import(builder.href);
      const { path } = await buildAddon();
      return [path];
    } catch (error) {
      throw new SetupRefused(
        `the native addon could not be built: ${lastLines(error.message)}`,
        'node scripts/build-addon.mjs     # tries it again',
      );
    }
  });
}

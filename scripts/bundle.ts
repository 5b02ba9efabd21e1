/**
 * The programs that ship, as one file each: `build/device.mjs`, the firmware, and `build/hpc-agent.mjs`, the agent of a box.
 * `node scripts/bundle.ts`. Owner of esbuild.
 *
 * Nothing of npm is needed beside a bundle. What stays outside are the native addon, which is loaded and measured from its
 * own file, and the definitions of the boards.
 */
import { readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { bytesText, table } from './terminal.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'build');

const entries = { device: 'device/main.ts', 'hpc-agent': 'hpc-agent/agent.ts' } as const;

export type BundleName = keyof typeof entries;

export interface Bundle {
  readonly name: BundleName;
  readonly file: string;
  readonly bytes: number;
}

export const bundleFiles: Readonly<Record<BundleName, string>> = {
  device: join(folder, 'device.mjs'),
  'hpc-agent': join(folder, 'hpc-agent.mjs'),
};

/** Makes both bundles anew. @throws Error with esbuild's words when the code can't be bundled */
export async function makeBundles(): Promise<Bundle[]> {
  return Promise.all([makeBundle('device'), makeBundle('hpc-agent')]);
}

async function makeBundle(name: BundleName): Promise<Bundle> {
  const file = bundleFiles[name];
  await build({
    entryPoints: [join(root, entries[name])],
    outfile: file,
    absWorkingDir: root,
    bundle: true,
    minify: true,
    legalComments: 'none',
    platform: 'node',
    format: 'esm',
    target: 'node26',
    // Packages in the older form of modules ask for Node's by `require`.
    banner: { js: `import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);` },
    plugins: [placesOfSources],
    logLevel: 'silent',
  });
  return { name, file, bytes: (await stat(file)).size };
}

/** A file that looks for something beside itself finds it from the bundle too: it is told the place where its source lies. */
const placesOfSources: Plugin = {
  name: 'places-of-sources',
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/(device|hpc-agent)\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const place = relative(folder, path).split(sep).join('/');
      return { loader: 'ts', contents: text.replaceAll('import.meta.url', `new URL(${JSON.stringify(place)}, import.meta.url).href`) };
    });
  },
};

if (import.meta.main) {
  const bundles = await makeBundles();
  process.stdout.write(`${table(bundles.map(({ file, bytes }) => [relative(root, file), bytesText(bytes)]))}\n`);
}

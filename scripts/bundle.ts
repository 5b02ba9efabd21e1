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
import { build, type BuildOptions, type Plugin } from 'esbuild';
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

/** Test files as one file each, for a machine without the checkout. They find what lies beside `into` as from the repository. */
export async function bundleTests(files: readonly string[], into: string): Promise<void> {
  const entryPoints = files.map((file) => join(root, file));
  await build({ ...options, entryPoints, outdir: into, outExtension: { '.js': '.mjs' }, plugins: [placesInRepository] });
}

/** Bytes of a bundle in which packages are left out, which thus runs nowhere: what they weigh. @param packages and what lies in them */
export async function bytesWithout(name: BundleName, packages: readonly string[]): Promise<number> {
  const external = packages.flatMap((one) => [one, `${one}/*`]);
  const { outputFiles } = await build({ ...shipped(name), external, write: false });
  return outputFiles.reduce((sum, { contents }) => sum + contents.length, 0);
}

async function makeBundle(name: BundleName): Promise<Bundle> {
  await build(shipped(name));
  const file = bundleFiles[name];
  return { name, file, bytes: (await stat(file)).size };
}

function shipped(name: BundleName) {
  return { ...options, entryPoints: [join(root, entries[name])], outfile: bundleFiles[name], minify: true, plugins: [placesOfSources] };
}

const options = {
  absWorkingDir: root,
  bundle: true,
  legalComments: 'none',
  platform: 'node',
  format: 'esm',
  target: 'node26',
  // Packages in the older form of modules ask for Node's by `require`.
  banner: { js: `import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);` },
  logLevel: 'silent',
} as const satisfies BuildOptions;

/** A file that looks for something beside itself finds it from the bundle too: it is told the place where its source lies. */
const placesOfSources = placesOf('places-of-sources', (path) => relative(folder, path));

/** As if the bundle of a test lay in a folder `test/` of a repository. */
const placesInRepository = placesOf('places-in-repository', (path) => join('..', relative(root, path)));

function placesOf(name: string, placeOf: (path: string) => string): Plugin {
  return {
    name,
    setup: (bundling) => {
      bundling.onLoad({ filter: /\/(device|hpc-agent)\/.*\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        const place = JSON.stringify(placeOf(path).split(sep).join('/'));
        return { loader: 'ts', contents: text.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`) };
      });
    },
  };
}

if (import.meta.main) {
  const bundles = await makeBundles();
  process.stdout.write(`${table(bundles.map(({ file, bytes }) => [relative(root, file), bytesText(bytes)]))}\n`);
}

/**
 * How Node runs devices and agents: they wait most of the time, and a board has little memory. What each setting gains is in
 * board-configs/README.md.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The smallest young generation, no threads that collect garbage or compile, and no compiler above Maglev: TurboFan's code
 * gains nothing where OpenSSL checks the signatures, and its pages are 5 MB.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=1', '--v8-pool-size=0', '--no-opt'];

/** One heap of glibc for all threads instead of one each, and what is free goes back to the kernel (mallopt(3)). */
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' } as const;

const compileCache = fileURLToPath(new URL('../../build/compile-cache', import.meta.url));

/**
 * The environment of a program. One that runs from source finds its modules as JavaScript in a cache, which is made for this
 * account alone, so that the compiler that strips types is not loaded; NODE_DISABLE_COMPILE_CACHE=1 turns it off. It holds what was compiled under these flags only.
 *
 * The firmware's measurement does not cover the cache. Whoever can write there can write node_modules, which it does not cover
 * either, and a grid of software TPMs proves nothing. A bundle, which is what boards run, has no cache.
 */
export function nodeEnvironment(program: string): NodeJS.ProcessEnv {
  if (!program.endsWith('.ts')) return { ...process.env, ...MALLOC };
  mkdirSync(compileCache, { recursive: true, mode: 0o700 });
  return { ...process.env, ...MALLOC, NODE_COMPILE_CACHE: compileCache };
}

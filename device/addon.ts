/**
 * The native addon over tpm2-tss and the kernel's character devices (device/addon): found, measured and loaded. Its owner: nobody else loads it.
 * It is built by scripts/build-addon.mjs; nothing is built here.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { arch } from 'node:process';
import { fileURLToPath } from 'node:url';

import type { KernelCalls } from './board/kernel-calls.ts';
import type { Esys } from './tpm/esys.ts';

/** How the addon describes a method: marks and types in the order of the C prototype (device/addon/handles.h). */
export interface Signature {
  readonly name: string;
  /** One mark for each parameter that goes in. */
  readonly inputs: string;
  /** One mark for each result. */
  readonly outputs: string;
  /** C types, inputs first. */
  readonly types: readonly string[];
}

export interface Addon {
  /** @param tcti which TPM, in the words of tpm2-tss: `device:/dev/tpmrm0`, `swtpm:path=/run/swtpm`; nothing is guessed */
  readonly open: (tcti: string) => Promise<Esys>;
  readonly signatures: readonly Signature[];
  /** What the kernel's character devices need beyond read(2) and write(2). */
  readonly kernel: KernelCalls;
  /** The file that was loaded, and what it contains: firmware measures it. */
  readonly path: string;
  readonly sha256: Uint8Array;
}

const builtFolder = fileURLToPath(new URL('../build/addon', import.meta.url));

let loaded: Addon | undefined;

/**
 * The addon, loaded once a process.
 * @param folder where `capstan-<arch>-<hash>.node` lies; counts for the first call only
 */
export function loadAddon(folder = builtFolder): Addon {
  loaded ??= load(requireFile(folder));
  return loaded;
}

function load(path: string): Addon {
  const sha256 = new Uint8Array(createHash('sha256').update(readFileSync(path)).digest());
  const native = createRequire(import.meta.url)(path) as Pick<Addon, 'open' | 'signatures'> & KernelCalls;
  return { open: native.open, signatures: native.signatures, kernel: native, path, sha256 };
}

function requireFile(folder: string): string {
  const [file, ...others] = addonsIn(folder);
  if (file !== undefined && others.length === 0) return join(folder, file);
  const found = file === undefined ? 'is missing from' : 'is there more than once in';
  throw new Error(`The native addon for ${arch} ${found} ${folder}; run: node scripts/setup.mjs`);
}

function addonsIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => file.startsWith(`capstan-${arch}-`) && file.endsWith('.node'));
  } catch {
    return [];
  }
}

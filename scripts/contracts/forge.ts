/**
 * forge, which compiles and tests Solidity: the owner of the program. Its package for this machine is asked for by name, and not the one
 * that chooses: the binary is started without a wrapper, so that a signal reaches it. The compiler that it starts is contracts/solc.cjs.
 */
import { spawn } from 'node:child_process';
import { arch, env, execPath } from 'node:process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const contractsFolder = fileURLToPath(new URL('../../contracts/', import.meta.url));
/** What forge makes: artefacts, its cache. */
export const buildFolder = fileURLToPath(new URL('../../build/contracts/', import.meta.url));

/** Chains on which the contracts are tried: the oldest one that is supported, and one with the P-256 precompile. */
export const HARDFORKS = ['shanghai', 'osaka'] as const;
export type Hardfork = (typeof HARDFORKS)[number];

export interface ForgeRequest {
  readonly args: readonly string[];
  readonly hardfork?: Hardfork;
  /** Added to the environment; `FOUNDRY_…` overrides foundry.toml. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Gets the output as it comes. */
  readonly show?: (text: string) => void;
}

export interface ForgeResult {
  readonly ok: boolean;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

const outputCharactersMax = 2_000_000; // what a run with ten thousand fuzz runs prints is far less
const packages: Readonly<Record<string, string>> = { x64: 'forge-linux-amd64' };

/** @throws Error when this machine has no forge */
export function runForge({ args, hardfork = 'shanghai', environment = {}, show }: ForgeRequest): Promise<ForgeResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(forgePath(), args, {
      cwd: contractsFolder,
      env: { ...env, PATH: `${dirname(execPath)}:${env['PATH'] ?? ''}`, FOUNDRY_HARDFORK: hardfork, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const take = (chunk: Buffer): void => {
      const text = chunk.toString();
      if (output.length < outputCharactersMax) output += text;
      show?.(text);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', (cause) => reject(new Error(`forge does not start: ${cause.message}; npm ci brings it`, { cause })));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}

/** As `runForge`. @throws Error with what forge said when it fails */
export async function requireForge(request: ForgeRequest): Promise<string> {
  const { ok, output } = await runForge(request);
  if (!ok) throw new Error(`forge ${request.args.join(' ')} failed:\n${output.trimEnd()}`);
  return output;
}

/** Whether forge is installed on machines like this one. */
export function hasForge(): boolean {
  return packages[arch] !== undefined;
}

function forgePath(): string {
  const name = packages[arch];
  if (name === undefined) throw new Error(`forge is installed for ${Object.keys(packages).join(' and ')} only; this machine is ${arch}`);
  return join(contractsFolder, '../node_modules/@foundry-rs', name, 'bin/forge');
}

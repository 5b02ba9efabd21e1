/** What forge compiled: the contracts that can be deployed, as the artefacts of the whole build describe them. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { wholeFolder } from './whole-build.ts';

/** Longer code is deployed on no chain (EIP-170). */
export const codeBytesMax = 24_576;

/** A function, event, error or the constructor, as the Contract ABI Specification describes it in JSON. */
export interface AbiItem {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface StorageType {
  readonly label: string;
  readonly numberOfBytes: string;
  readonly members?: readonly StorageSlot[];
}

export interface StorageSlot {
  readonly label: string;
  readonly offset: number;
  readonly slot: string;
  /** Key in `types`. */
  readonly type: string;
}

export interface StorageLayout {
  readonly storage: readonly StorageSlot[];
  readonly types: Readonly<Record<string, StorageType>> | null;
}

export interface CompiledContract {
  readonly name: string;
  readonly abi: readonly AbiItem[];
  /** With 0x; what a transaction that deploys it begins with. */
  readonly creationCode: string;
  /** With 0x; what then stands at its address. */
  readonly deployedCode: string;
  readonly storageLayout: StorageLayout;
}

interface Artefact {
  readonly abi: readonly AbiItem[];
  readonly bytecode: { readonly object: string };
  readonly deployedBytecode: { readonly object: string };
  readonly storageLayout: StorageLayout;
}

/** forge's list of what it compiled: source to contract to compiler to profile to artefact. */
interface Cache {
  readonly files: Readonly<Record<string, { readonly artifacts: Artefacts }>>;
}
type Artefacts = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, { readonly path: string }>>>>>>;

/**
 * In the order of names. Interfaces, abstract contracts and libraries, whose functions are all compiled into contracts, are not deployed. What
 * is listed counts, because forge leaves the artefacts of removed contracts where they are.
 */
export function compiledContracts(): CompiledContract[] {
  const { files } = JSON.parse(readFileSync(join(wholeFolder, 'cache/solidity-files-cache.json'), 'utf8')) as Cache;
  return Object.entries(files)
    .filter(([source]) => source.startsWith('src/') && !source.startsWith('src/libraries/'))
    .flatMap(([, { artifacts }]) => Object.values(artifacts))
    .flatMap((byCompiler) => Object.values(byCompiler).flatMap((byProfile) => Object.values(byProfile)))
    .map(({ path }) => readCompiled(join(wholeFolder, 'out', path)))
    .filter(({ creationCode }) => creationCode !== '0x')
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** @param code with 0x */
export function codeBytes(code: string): number {
  return (code.length - '0x'.length) / 2;
}

function readCompiled(path: string): CompiledContract {
  const { abi, bytecode, deployedBytecode, storageLayout } = JSON.parse(readFileSync(path, 'utf8')) as Artefact;
  const name = basename(path, '.json');
  if (bytecode.object.includes('__$')) throw new Error(`${name} needs a deployed library; let its functions be internal`);
  return { name, abi, creationCode: bytecode.object, deployedCode: deployedBytecode.object, storageLayout };
}

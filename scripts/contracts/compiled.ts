/** What forge compiled: the contracts that can be deployed, as its artefacts in build/contracts/out describe them. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildFolder, contractsFolder } from './forge.ts';

export interface AbiItem {
  readonly type: string;
  readonly name?: string;
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

/** In the order of names. Interfaces, abstract contracts and libraries, whose functions are all compiled into contracts, are not deployed. */
export function compiledContracts(): CompiledContract[] {
  const sources = globSync('src/**/*.sol', { cwd: contractsFolder, exclude: ['src/libraries/**'] });
  return sources
    .flatMap((source) => globSync(join(buildFolder, 'out', basename(source), '*.json')))
    .map(readCompiled)
    .filter(({ creationCode }) => creationCode !== '0x')
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

function readCompiled(path: string): CompiledContract {
  const { abi, bytecode, deployedBytecode, storageLayout } = JSON.parse(readFileSync(path, 'utf8')) as Artefact;
  const name = basename(path, '.json');
  if (bytecode.object.includes('__$')) throw new Error(`${name} needs a deployed library; let its functions be internal`);
  return { name, abi, creationCode: bytecode.object, deployedCode: deployedBytecode.object, storageLayout };
}

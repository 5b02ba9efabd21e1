/**
 * The files that are made from the compiled contracts and stand in the tree: ABI and code of each as a TypeScript constant, from which
 * ethers and the compiler take its types, and the storage layout, so that a change of it is seen in a diff. Nobody needs a Solidity compiler
 * to deploy or to call.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledContract, StorageLayout, StorageSlot } from './compiled.ts';
import { contractsFolder } from './forge.ts';

const layoutHead = 'Slot, byte in the slot, name and type of what each contract stores. Made by `npm run contracts -- build`.\n';
const generatedFolder = join(contractsFolder, 'generated');

/** Name in `generated/` to content. */
export function generatedFiles(contracts: readonly CompiledContract[]): Map<string, string> {
  const bindings = contracts.map((contract) => [`${kebab(contract.name)}.ts`, bindingOf(contract)] as const);
  const layouts = contracts.map(({ name, storageLayout }) => `${name}\n${layoutLines(storageLayout).join('')}`);
  return new Map([...bindings, ['storage-layout.txt', [layoutHead, ...layouts].join('\n')]]);
}

/** The files that differ from those in the tree, are missing there, or stand there for nothing. */
export function staleFiles(files: ReadonlyMap<string, string>): string[] {
  const differing = [...files].filter(([name, content]) => readIfThere(join(generatedFolder, name)) !== content).map(([name]) => name);
  return [...differing, ...namesInTree().filter((name) => !files.has(name))];
}

export function writeGenerated(files: ReadonlyMap<string, string>): void {
  mkdirSync(generatedFolder, { recursive: true });
  for (const name of namesInTree().filter((name) => !files.has(name))) rmSync(join(generatedFolder, name));
  for (const [name, content] of files) writeFileSync(join(generatedFolder, name), content);
}

function bindingOf({ name, abi, creationCode }: CompiledContract): string {
  const items = abi.map((item) => `  ${JSON.stringify(item, (key, value: unknown) => (key === 'internalType' ? undefined : value))},\n`);
  const head = `/** The contract ${name}: contracts/src says what it does. Made by \`npm run contracts -- build\`. */\n`;
  return `${head}export const abi = [\n${items.join('')}] as const;\n\n/** Creation code. */\nexport const bytecode = '${creationCode}';\n`;
}

/** A line for each variable, and under it those of the structs that it reaches. */
function layoutLines({ storage, types }: StorageLayout): string[] {
  const structs = Object.values(types ?? {}).filter(({ members }) => members !== undefined);
  const line = ({ slot, offset, label, type }: StorageSlot): string =>
    `  ${slot.padStart(3)} +${String(offset).padEnd(2)} ${label}: ${types?.[type]?.label ?? type}\n`;
  const described = structs.map(({ label, members = [] }) => `  ${label}\n${members.map((member) => `  ${line(member)}`).join('')}`).sort();
  return [...storage.map(line), ...described];
}

function namesInTree(): string[] {
  return globSync('*', { cwd: generatedFolder });
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function kebab(name: string): string {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}

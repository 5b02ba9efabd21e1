/** What is made from compiled contracts. Specification §20. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CompiledContract } from '../../scripts/contracts/compiled.ts';
import { generatedFiles } from '../../scripts/contracts/generated.ts';

const registry: CompiledContract = {
  name: 'NodeRegistry',
  abi: [
    { type: 'constructor', inputs: [{ name: 'owner', type: 'address', internalType: 'address' }], stateMutability: 'nonpayable' },
    { type: 'error', name: 'Unknown', inputs: [{ name: 'node', type: 'bytes32', internalType: 'bytes32' }] },
  ],
  creationCode: '0x60016002',
  deployedCode: '0x6001',
  storageLayout: {
    storage: [
      { label: 'owner', offset: 0, slot: '0', type: 't_address' },
      { label: 'paused', offset: 20, slot: '0', type: 't_bool' },
      { label: 'stakes', offset: 0, slot: '1', type: 't_mapping(t_bytes32,t_struct(Stake)1_storage)' },
    ],
    types: {
      t_address: { label: 'address', numberOfBytes: '20' },
      t_bool: { label: 'bool', numberOfBytes: '1' },
      't_struct(Stake)1_storage': {
        label: 'struct Stake',
        numberOfBytes: '32',
        members: [{ label: 'amount', offset: 0, slot: '0', type: 't_uint128' }],
      },
      't_mapping(t_bytes32,t_struct(Stake)1_storage)': { label: 'mapping(bytes32 => struct Stake)', numberOfBytes: '32' },
      t_uint128: { label: 'uint128', numberOfBytes: '16' },
    },
  },
};

test('ABI and code become a module whose types are literal (§20)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-generated-'));
  try {
    const text = generatedFiles([registry]).get('node-registry.ts') ?? '';
    assert.match(text, /^\/\*\* The contract NodeRegistry/);
    assert.match(text, /\] as const;/);
    writeFileSync(join(folder, 'node-registry.ts'), text);
    const made = (await import(join(folder, 'node-registry.ts'))) as { abi: unknown; bytecode: unknown };
    assert.deepEqual(made.abi, [
      { type: 'constructor', inputs: [{ name: 'owner', type: 'address' }], stateMutability: 'nonpayable' },
      { type: 'error', name: 'Unknown', inputs: [{ name: 'node', type: 'bytes32' }] },
    ]);
    assert.equal(made.bytecode, '0x60016002');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the storage layout names each variable, and the members of structs (§20)', () => {
  const [, body] = (generatedFiles([registry]).get('storage-layout.txt') ?? '').split('\n\n');
  assert.equal(
    body,
    [
      'NodeRegistry',
      '    0 +0  owner: address',
      '    0 +20 paused: bool',
      '    1 +0  stakes: mapping(bytes32 => struct Stake)',
      '  struct Stake',
      '      0 +0  amount: uint128',
      '',
    ].join('\n'),
  );
});

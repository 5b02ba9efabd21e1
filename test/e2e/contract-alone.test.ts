/**
 * A grid with layer 1: a receipt and a member's trust, verified by whoever has an endpoint and an address, and what was handed on. Specification §20.10.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GRID_CHAIN } from '../../scripts/grid/layer1.ts';
import { readNetworkFile } from '../../scripts/grid/network.ts';
import { hasAnvil } from '../../scripts/layer1/anvil.ts';
import { openWorld, ran, type World } from './world.ts';

const skip = !hasAnvil() && 'no anvil on this machine';
const root = fileURLToPath(new URL('../..', import.meta.url));
const WAIT_MS = 120_000;

let world: World;
before(async () => {
  if (!skip) world = await openWorld([GRID_CHAIN]);
});
after(async () => {
  if (!skip) await world.stop();
});

test('a receipt is verified from the contract alone, and by a stranger who has it as a file (§20.10)', { skip }, async () => {
  const submitted = await world.run('capsule', 'submit', join(root, 'scripts/sample/capsule.yaml'));
  assert.equal(submitted.status, 0, submitted.stdout + submitted.stderr);
  const [id = ''] = /[0-9a-f]{32}/.exec(submitted.stdout) ?? [];
  const folder = world.grid.layout.capsule(id);
  const alone = contractOptions();
  const verified = await until(
    () => world.run('capsule', 'verify', id, '--final', ...alone),
    ({ stdout }) => /final: block \d+ holds the receipt's digest, .*that of anchor \d+ on layer 1/.test(stdout),
    () => rmSync(join(folder, 'anchor.cbor'), { force: true }), // until an anchor is above it, the seats of the last one have to do
  );
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  const stranger = join(world.state, 'stranger');
  mkdirSync(stranger);
  cpSync(folder, stranger, { recursive: true });
  const line = [join(root, 'scripts/capsule.ts'), 'verify', stranger, '--final', ...alone, '--state', join(stranger, 'none')];
  const foreign = await ran(process.execPath, line);
  assert.equal(foreign.status, 0, foreign.stdout + foreign.stderr);
  assert.match(foreign.stdout, /checked against anchor \d+ of the contract 0x[0-9a-f]{40} on chain 31337/);
});

test('a member’s trust is shown with what layer 1 says of it, and a file of it verifies there (§18.8, §20.10)', { skip }, async () => {
  const shown = await until(
    () => world.run('trust', 'show', 'bravo'),
    ({ stdout }) => /checked here +trusted/.test(stdout) && /by anchor \d+ on chain 31337/.test(stdout),
  );
  assert.match(shown.stdout, /trust +trusted until checkpoint \d+/);
  assert.match(shown.stdout, /judged +trusted by \w+, \w+/);
  const nodes = await world.run('trust', 'nodes');
  for (const { name } of world.grid.devices) assert.match(nodes.stdout, new RegExp(`${name} +[0-9a-f]{8} +seat +trusted`));
  const file = join(world.state, 'bravo.cbor');
  const exported = await world.run('trust', 'export', 'bravo', file);
  assert.equal(exported.status, 0, exported.stdout + exported.stderr);
  const [, digest = ''] = /--anchor ([0-9a-f]{64})/.exec(exported.stdout) ?? [];
  for (const by of [[], contractOptions(), ['--anchor', digest]]) {
    const verified = await world.run('trust', 'verify', file, ...by);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  }
});

function contractOptions(): string[] {
  const [chain] = readNetworkFile(world.grid.layout.networkFile)?.layer1 ?? [];
  assert.ok(chain);
  return ['--layer1', chain.endpoints.join(','), '--contract', `0x${chain.anchors.toHex()}`];
}

async function until<T>(look: () => Promise<T>, holds: (value: T) => boolean, again: () => void = () => undefined): Promise<T> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    assert.ok(performance.now() < end, JSON.stringify(value));
    again();
    await sleep(1_000);
  }
}

/**
 * Running members that hear, beside every message, changed ones: bytes changed blindly, in the name of whoever sent it; and of
 * one cheating member, messages changed a little and signed again (mutation.ts). All checkers of the simulation watch. Specification §14.3.
 */
import { readBlock } from '#protocol/chain/block.ts';
import { drawFrom, type Draw } from '../../../scripts/fuzz/random.ts';
import { mutated as changedBytes } from '../../../scripts/fuzz/mutation.ts';
import type { LetterKind, Parcel } from '../links.ts';
import { chancesOf, type Chance } from '../chance.ts';
import type { Outgoing } from '../host.ts';
import { mutated as signedAgain, type Memory } from '../mutation.ts';
import { runSeed, type Outcome } from '../run-seed.ts';
import { FAULTS, scenarioOf, type Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

export interface MutationOutcome {
  readonly outcome: Outcome;
  /** Messages with changed bytes, and messages signed again, that a running member was told. */
  readonly bytes: number;
  readonly signed: number;
}

const changedPerMessage = 4;
const rememberedMax = 100;
const heights = 40;

/** A small network without other faults, whose first member cheats. */
export function mutationScenario(seed: number): Scenario {
  const cheats = new Map([[0, ['mutating'] as const]]);
  const settings = {
    members: seed % 3 === 0 ? 7 : 4,
    cheats,
    heights,
    promised: 'agreement-and-progress',
    signatures: 'pretended',
  } as const;
  const without = FAULTS.filter((fault) => fault !== 'workload' && fault !== 'membership');
  return { ...scenarioOf(seed, { ...settings, without }), targetIntervalMs: 2_000, faultsEndMs: heights * 2_000 };
}

export function runMutations(seed: number): MutationOutcome {
  const scenario = mutationScenario(seed);
  const counts = { bytes: 0, signed: 0 };
  const begun: { world?: World; memory?: Memory } = {};
  const [draw, chance] = [drawFrom(seed), chancesOf(seed)('signed again')];
  const heard = new Map<LetterKind, Uint8Array[]>();
  const change = ({ from, to, kind, payload }: Parcel, nowMs: number): boolean => {
    const { world, memory } = begun;
    if (!world || !memory || nowMs >= scenario.faultsEndMs) return false;
    remember(heard, memory, { to: 'everyone', kind, payload });
    for (let copy = 0; copy < changedPerMessage; copy += 1) {
      const again = changedBySender(world, { from, to, kind, payload }, memory, chance);
      const changed = again ?? (draw(2) === 0 ? oneBit(payload, draw) : changedBytes(heard.get(kind) ?? [payload], draw));
      world.queue.after(1 + draw(50), () => {
        if (world.hosts[to]?.running !== true) return;
        counts[again ? 'signed' : 'bytes'] += 1;
        world.hosts[to].receive(world.hosts[from]?.node ?? '', kind, changed);
      });
    }
    return false;
  };
  const disturb = (world: World): void => {
    begun.world = world;
    begun.memory = { values: [], payloads: [], nodes: world.cast.founders.map(({ node }) => node) };
  };
  const outcome = runSeed(scenario, { intercept: change, disturb });
  return { outcome, ...counts };
}

/** Mostly within a key, a digest or a signature: what is read as before, and judged. */
function oneBit(payload: Uint8Array, draw: Draw): Uint8Array {
  const at = draw(payload.length);
  return payload.with(at, (payload[at] ?? 0) ^ (1 << draw(8)));
}

/** Only the cheat signs what it did not mean. */
function changedBySender(world: World, { from, kind, payload }: Parcel, memory: Memory, chance: Chance): Uint8Array | undefined {
  const host = world.hosts[from];
  if (!host || host.honest) return undefined;
  const timeMs = Math.floor(host.chip.clock.read(world.queue.nowMs));
  const reading = { timeMs, resetCount: host.chip.resetCount(), restartCount: 0 };
  return signedAgain(host, { to: 'everyone', kind, payload }, memory, chance, reading);
}

function remember(heard: Map<LetterKind, Uint8Array[]>, { values, payloads }: Memory, message: Outgoing): void {
  const known = heard.get(message.kind) ?? [];
  known.push(message.payload);
  if (known.length > rememberedMax) known.shift();
  heard.set(message.kind, known);
  payloads.push(message);
  if (payloads.length > rememberedMax) payloads.shift();
  const block = message.kind === 'block' ? readBlock(message.payload) : undefined;
  if (block?.status === 'decoded') values.push(block.value.id);
  if (values.length > rememberedMax) values.shift();
}

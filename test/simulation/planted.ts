/**
 * Faults planted in the core from outside: what it is given, what it holds and what it wants done is changed on the way. Each
 * names the checker that must notice. A simulation that finds nothing has to be shown to be able to find something.
 */
import type { ConsensusEffect, ConsensusEvent, KeptChain } from '../../device/consensus/events.ts';
import type { ConsensusState } from '../../device/consensus/machine.ts';
import { readBlock } from '#protocol/chain/block.ts';
import { hex } from '#protocol/digest.ts';
import type { Cast } from './cast.ts';
import type { Core, CoreSettings, StartCore } from './core.ts';
import { productionCore } from './production-core.ts';
import type { Checker } from './rule-broken.ts';
import type { Behaviour, Fault, Promised } from './scenario.ts';

export interface Planted {
  readonly bug: string;
  /** Any of these says that something is wrong. */
  readonly caughtBy: readonly Checker[];
  readonly core: (cast: Cast) => StartCore;
  /** The faults that bring it out. */
  readonly faults: readonly Fault[];
  readonly cheats?: readonly (readonly [index: number, behaviours: readonly Behaviour[]])[];
  readonly promised?: Promised;
}

const hourMs = 3_600_000;

export const PLANTED: readonly Planted[] = [
  {
    bug: 'ballots are sent before they are stored',
    caughtBy: ['persist-before-send'],
    core: withEffects((effects) => [...effects.filter(isBallot), ...effects.filter((effect) => !isBallot(effect))]),
    faults: [],
  },
  {
    bug: 'own blocks are sent before they are stored',
    caughtBy: ['persist-before-send'],
    core: withEffects((effects) => [
      ...effects.filter(({ effect }) => effect !== 'persist'),
      ...effects.filter(({ effect }) => effect === 'persist'),
    ]),
    faults: [],
  },
  {
    bug: 'the own height is forgotten at a restart',
    caughtBy: ['one-block-a-height'],
    core: withSettings((settings) => ({ ...settings, kept: withoutOwnHeight(settings.kept) })),
    faults: ['crash', 'partition', 'loss'],
  },
  {
    bug: 'votes are forgotten at a restart',
    caughtBy: ['one-ballot-a-step'],
    core: withSettings(({ kept: { votes: _votes, ...kept }, ...settings }) => ({ ...settings, kept })),
    faults: ['crash', 'loss', 'partition', 'delay'],
  },
  {
    bug: 'the latest certificates are forgotten at a restart',
    caughtBy: ['finality-stays', 'one-ballot-a-step'],
    core: withSettings((settings) => ({ ...settings, kept: { ...settings.kept, certificates: settings.kept.certificates.slice(0, -3) } })),
    faults: ['crash'],
  },
  {
    bug: 'blocks are not held until they are due',
    caughtBy: ['waits-are-waited', 'forged-share'],
    core: withEvents((event, state) => {
      if (event.type === 'received' && event.kind === 'block') {
        const read = readBlock(event.payload);
        if (read.status === 'decoded') state.arrivals.forced.add(hex(read.value.id));
      }
      return event;
    }),
    faults: [],
    cheats: [[0, ['forged-chip']]],
  },
  {
    bug: 'the lock is ignored',
    caughtBy: ['lock-respected', 'agreement', 'head-descends'],
    core: withEvents((event, state) => {
      state.finality.decision.locked = undefined;
      state.finality.decision.valid = undefined;
      return event;
    }),
    faults: ['loss', 'delay', 'partition'],
    cheats: [[0, ['twins', 'selective', 'mutating']]],
  },
  {
    bug: 'signatures of ballots are not checked',
    caughtBy: ['no-honest-expelled', 'agreement', 'certificates-valid'],
    core: ({ network, crypto }) => productionCore(network, { ...crypto, verifyEd25519: () => true }),
    faults: [],
    cheats: [[0, ['mutating']]],
  },
  {
    bug: 'one member computes another state',
    caughtBy: ['honest-blocks-accepted'],
    core: withState((state, index) => {
      const { ledger } = state.setup;
      const judgeBlock = ledger.judgeBlock.bind(ledger);
      const otherwise: typeof judgeBlock = (block, parent, branch) =>
        block.header.height % 5 === 0
          ? { status: 'refused', reason: 'state-differs', detail: 'as it would be for who computes another state' }
          : judgeBlock(block, parent, branch);
      if (index === 0) Object.assign(ledger, { judgeBlock: otherwise });
    }),
    faults: [],
  },
  {
    bug: 'blocks from the future are taken',
    caughtBy: ['chain-time'],
    core: withEvents((event) => ({ ...event, at: { ...event.at, unixMs: event.at.unixMs + hourMs } })),
    faults: [],
  },
  {
    bug: 'garbage makes the core throw',
    caughtBy: ['no-throw'],
    core: withEvents((event) => {
      if (event.type === 'received' && event.kind === 'block' && readBlock(event.payload).status === 'malformed')
        throw new Error('not CBOR');
      return event;
    }),
    faults: [],
    cheats: [[0, ['flooding']]],
  },
  {
    bug: 'the core has itself woken all the time',
    caughtBy: ['wakes-bounded'],
    core: withEffects((effects) => effects.map((effect) => (effect.effect === 'wakeAt' ? { ...effect, monotonicMs: 0 } : effect))),
    faults: [],
  },
  {
    bug: 'requests are not answered',
    caughtBy: ['progress', 'inclusion'],
    core: withEffects((effects) => effects.filter(({ effect }) => effect !== 'send')),
    faults: ['partition', 'loss', 'crash'],
  },
  {
    bug: 'nothing is said again',
    caughtBy: ['progress', 'inclusion'],
    core: withoutRepeats,
    faults: ['loss', 'partition'],
  },
];

/** Its last blocks are lost too: else it would go on above them. */
function withoutOwnHeight(kept: KeptChain): KeptChain {
  const finalised = Math.max(0, ...kept.certificates.map(({ height }) => height));
  return { ...kept, ownHeight: 0, blocks: kept.blocks.filter(({ own, block }) => !own || block.header.height <= finalised) };
}

function isBallot(effect: ConsensusEffect): boolean {
  return effect.effect === 'broadcast' && effect.kind === 'ballot';
}

function withEffects(change: (effects: readonly ConsensusEffect[]) => readonly ConsensusEffect[]): Planted['core'] {
  return wrapped((core) => ({ state: core.state, step: (event) => change(core.step(event)) }));
}

function withEvents(change: (event: ConsensusEvent, state: ConsensusState) => ConsensusEvent): Planted['core'] {
  return wrapped((core) => ({ state: core.state, step: (event) => core.step(change(event, core.state as ConsensusState)) }));
}

function withSettings(change: (settings: CoreSettings) => CoreSettings): Planted['core'] {
  return ({ network, crypto }) => {
    const start = productionCore(network, crypto);
    return (settings) => start(change(settings));
  };
}

/** @param change is called once for each start with the state and the member's place among the founders */
function withState(change: (state: ConsensusState, index: number) => void): Planted['core'] {
  return (cast) => {
    const start = productionCore(cast.network, cast.crypto);
    return (settings) => {
      const started = start(settings);
      change(started.core.state as ConsensusState, cast.founders.indexOf(settings.identity));
      return started;
    };
  };
}

function wrapped(wrap: (core: Core) => Core): Planted['core'] {
  return ({ network, crypto }) => {
    const start = productionCore(network, crypto);
    return (settings) => {
      const { core, effects } = start(settings);
      return { core: wrap(core), effects };
    };
  };
}

/** What a host has said once is dropped the next time. */
function withoutRepeats(cast: Cast): StartCore {
  const start = productionCore(cast.network, cast.crypto);
  return (settings) => {
    const said = new Set<string>();
    const once = (effects: readonly ConsensusEffect[]): ConsensusEffect[] =>
      effects.filter((effect) => {
        if (effect.effect !== 'broadcast' || effect.kind === 'request' || effect.kind === 'head') return true;
        const payload = hex(effect.payload);
        return !said.has(payload) && said.add(payload);
      });
    const { core, effects } = start(settings);
    return { core: { state: core.state, step: (event) => once(core.step(event)) }, effects: once(effects) };
  };
}

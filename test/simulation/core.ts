/** The consensus core as a host sees it: a machine that is started from what the disk kept, and stepped. */
import type { ChainArchive, ConsensusEffect, ConsensusEvent, Instant, KeptChain } from '../../device/consensus/events.ts';
import type { Identity, OperationalKey } from './identity.ts';

export interface CoreSettings {
  readonly identity: Identity;
  readonly operational: OperationalKey;
  readonly kept: KeptChain;
  readonly archive: ChainArchive;
  readonly at: Instant;
}

export interface Core {
  step(event: ConsensusEvent): readonly ConsensusEffect[];
  /** For checkers: what it holds. */
  readonly state: object;
}

export type StartCore = (settings: CoreSettings) => { readonly core: Core; readonly effects: readonly ConsensusEffect[] };

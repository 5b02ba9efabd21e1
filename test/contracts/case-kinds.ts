/** All that the protocol and the contracts both judge. */
import type { CaseKind } from './case-kind.ts';
import { digestCases } from './digest-cases.ts';
import { headerCases } from './header-cases.ts';
import { leafCases } from './leaf-cases.ts';
import { placeCases } from './place-cases.ts';
import { quoteCases } from './quote-cases.ts';
import { timeCases } from './time-cases.ts';
import { treeCases } from './tree-cases.ts';
import { voteCases } from './vote-cases.ts';
import { vrfCases } from './vrf-cases.ts';

export const caseKinds: readonly CaseKind[] = [
  ...[digestCases, treeCases, quoteCases, timeCases, vrfCases, headerCases],
  ...[leafCases, voteCases, placeCases],
];

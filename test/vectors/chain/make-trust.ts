/**
 * Makes trust.json: slots, checkpoints and transactions about trust, each with the root of the state after it. Members show evidence, good,
 * planted and bad, are judged by drawn judges and by all, appeal, reveal, lose their seats and come back, and one that says two words is
 * expelled. Its signatures are those of test/simulation/stub-crypto.ts: it is about what the rules do.
 *
 * Run: node_modules/.bin/node test/vectors/chain/make-trust.ts
 */
import { writeFileSync } from 'node:fs';

import { stateRoot } from '#protocol/chain/state-root.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { Network } from '#protocol/network.ts';
import { createStubMember, type StubMember } from '../../simulation/stub-tpm.ts';
import { wordsOf } from '../../unit/chain/vectors.ts';
import { trustStep, type TrustStep } from '../../unit/ledger/trust-steps.ts';
import {
  actionOf,
  attestationOf,
  ballotOf,
  foundedBy,
  judgesFor,
  parameters,
  plantedLog,
  revealOf,
  verdictOf,
  voucherOf,
  type Said,
} from '../../unit/ledger/trust-workshop.ts';

const members = Array.from({ length: 9 }, (_, index) => createStubMember(`member-${index}`));
const [alpha, bravo, charlie, delta] = members as [StubMember, StubMember, StubMember, StubMember];
let world = foundedBy(members, parameters);
const steps: unknown[] = [];

function step(taken: TrustStep): void {
  world = trustStep(world, taken);
  steps.push({ ...(wordsOf(taken) as object), root: hex(stateRoot(world.state)) });
}

const enter = (transaction: Uint8Array): void => step({ transaction, height: world.height, timeMs: world.height * 1_000 });
const judge = (subject: StubMember, said: Said = {}): void => enter(encodeTransaction(verdictOf(world, subject, said)));
const isElse = (subject: StubMember) => members.filter((member) => member !== subject);

function upTo(height: number): void {
  for (let next = world.height + 1; next <= height; next += 1) step({ height: next });
}

function certify(count: number, silent: readonly StubMember[] = []): void {
  const number = world.state.core.checkpoint.number + count;
  const voted = isElse(alpha)
    .concat(alpha)
    .filter((member) => !silent.includes(member));
  step({ checkpoint: { number, height: world.height, block: blobDigest(Uint8Array.of(number)) }, voted: voted.map(({ node }) => node) });
}

upTo(1);
for (const member of members) enter(voucherOf(world, member));
upTo(12); // Every moment of slot 0 has come.
for (const member of [alpha, bravo, charlie]) enter(attestationOf(world, member));
enter(attestationOf(world, delta, plantedLog));
const yes = judgesFor(world, delta, { slot: 0, level: 0 })[0]!;
judge(delta, { word: 'untrusted', voters: judgesFor(world, delta, { slot: 0, level: 0 }).filter((voter) => voter !== yes) });
enter(revealOf(world, delta, [ballotOf(world, yes, delta, 'trusted')]));
judge(alpha);
judge(bravo, { word: 'untrusted' });
judge(charlie, { word: 'disputed' });
enter(actionOf(world, delta, { action: 'appeal', subject: alpha.node, slot: 0, ballots: [] }));
const trusting = judgesFor(world, charlie, { slot: 0, level: 0 })[0]!;
enter(
  actionOf(world, delta, { action: 'appeal', subject: charlie.node, slot: 0, ballots: [ballotOf(world, trusting, charlie, 'trusted')] }),
);
certify(3, [members[8]!]);
upTo(21);
judge(alpha, { level: 1, voters: members });
judge(bravo, { level: 1, voters: isElse(bravo) });
judge(charlie, { level: 1, word: 'untrusted', voters: isElse(charlie) });
certify(30, [members[8]!]);
upTo(44);
enter(attestationOf(world, charlie));
judge(charlie, { voters: judgesFor(world, charlie, { slot: 2, level: 0 }) });
judge(charlie, { level: 1, voters: isElse(charlie) });
const liar = judgesFor(world, charlie, { slot: 2, level: 0 }).at(-1)!;
const [first, second] = (['trusted', 'untrusted'] as const).map((word) => ballotOf(world, liar, charlie, word).envelope);
enter(encodeTransaction({ kind: 'equivocation', of: 'verdict-ballot', first: first!, second: second! }));
upTo(64);

const kept = { network: encodeStrict(Network, world.context.network).toHex(), steps };
writeFileSync(new URL('trust.json', import.meta.url), `${JSON.stringify(kept, undefined, 1)}\n`);

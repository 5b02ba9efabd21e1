/**
 * Makes replay.json: a chain of 51 blocks in which members show keys, offer boxes, one of which loses its level, apply, are vouched for and leave, checkpoints are
 * certified, and seeds are renewed or stay. Its signatures are those of test/simulation/stub-crypto.ts: it is about what blocks do.
 *
 * Run: node_modules/.bin/node test/vectors/chain/make-replay.ts
 */
import { writeFileSync } from 'node:fs';

import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { memberDigest, Network } from '#protocol/network.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  boxesOf,
  bravo,
  charlie,
  delta,
  extended,
  finalityOf,
  founders,
  headOf,
  network,
  offersOf,
  readyChain,
  voucherOf,
  type Chain,
} from '../../unit/ledger/workshop.ts';

const echo = createStubMember('echo');
const application = encodeTransaction({ kind: 'application', card: echo.card(network.genesis.salt) });
const vouches = [alpha, bravo, charlie].map((by) => actionOf(by, { action: 'vouch', applicant: memberDigest(echo.member) }));
const leaders = [alpha, charlie, delta];

function upTo(chain: Chain, height: number): Chain {
  const next = headOf(chain).height + 1;
  return next > height ? chain : upTo(extended(chain, leaders[next % leaders.length] ?? alpha), height);
}

/** With a block that certifies the head. */
const certified = (chain: Chain, voters = [alpha, bravo, charlie]): Chain =>
  extended(chain, bravo, [finalityOf(chain, headOf(chain).height, voters)]);

let chain = extended(readyChain, bravo, [
  actionOf(alpha, offersOf(1, { 'rack-1': 'software-tpm', 'rack-2': 'tpm-measured' })),
  actionOf(bravo, boxesOf(1, 'one')),
]);
chain = certified(upTo(chain, 8), founders.slice()); // Epoch 2 gets a seed of its own, of the outputs of epoch 0.
chain = extended(chain, charlie, [application, actionOf(alpha, boxesOf(2, 'rack-2'))]);
chain = certified(upTo(extended(chain, delta, vouches), 15)); // So does epoch 3; the newcomer's draws count from epoch 5.
chain = extended(chain, charlie, [voucherOf(echo), voucherOf(alpha, { timeMs: 5, resetCount: 3, restartCount: 2 })]);
chain = upTo(chain, 41); // Epochs 4 and 5 keep the seed, and the newcomer waits for epoch 6.
chain = extended(chain, charlie, [actionOf(bravo, { action: 'leave' })]);
chain = certified(chain, [bravo, charlie, delta, echo]);
chain = extended(upTo(chain, 50), echo);

const encoded = chain.blocks.map((block) => block.encoded.toHex());
const kept = { network: encodeStrict(Network, network).toHex(), head: headOf(chain).id.toHex(), blocks: encoded };
writeFileSync(new URL('replay.json', import.meta.url), `${JSON.stringify(kept, undefined, 1)}\n`);

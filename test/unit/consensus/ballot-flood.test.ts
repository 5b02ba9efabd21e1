/** What a flood of ballots costs: counted in signature checks through the port of cryptography. Specification §13.2, §14.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BallotMessage, ProposalMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { networkId } from '#protocol/network.ts';
import { signMessage } from '#protocol/signed.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS, DEVICE_LIMITS } from '../../../device/limits.ts';
import { proposerOf } from '../../../device/votes/proposer.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import { ballotOf, forge, genesisOf, memberOf, say, sayBlock, voucherOf } from './forge.ts';
import { checkpointOf, World } from './world.ts';

const others = ['bravo', 'charlie', 'delta'];

/** Alpha, which knows the keys of the others and a block; and how many Ed25519 signatures it has checked. */
function voter() {
  let checks = 0;
  const verifyEd25519: Crypto['verifyEd25519'] = (...given) => {
    checks += 1;
    return stubCrypto.verifyEd25519(...given);
  };
  const world = new World(['alpha', ...others]);
  world.tpmMs = Infinity;
  const alpha = world.start('alpha', { crypto: { ...stubCrypto, verifyEd25519 } });
  for (const name of others) say(world, alpha, name, 'voucher', voucherOf(world, name));
  const genesis = genesisOf(world);
  const made = forge(world, genesis, 'bravo');
  sayBlock(world, alpha, made);
  const instance = checkpointInstance(networkId(world.network), 1, genesis.position.id);
  const about = { number: 1, previous: genesis.position.id };
  const checked = (work: () => void): number => {
    const before = checks;
    work();
    return checks - before;
  };
  /** With a signature by nobody, different for each serial. */
  const forged = (node: Uint8Array, change: Partial<Ballot>, serial: number): Uint8Array => {
    const ballot: Ballot = { network: networkId(world.network), instance, round: 0, step: 'precommit', node, ...change };
    return signMessage(BallotMessage, ballot, () => new Uint8Array(64).fill(serial & 255).fill(serial >> 8, 32));
  };
  return { world, alpha, made, about, checked, forged };
}

const nameOf = ({ members }: World, node: string): string => members.find((one) => hex(one.node) === node)?.name ?? '';

const flood = (count: number, one: (index: number) => void): void => {
  for (let index = 0; index < count; index += 1) one(index);
};

describe('no signature is checked of', () => {
  test('ballots of who has no vote', () => {
    const { world, alpha, checked, forged } = voter();
    const { node } = createStubMember('nobody');
    assert.equal(
      checked(() => flood(1_000, (index) => say(world, alpha, 'bravo', 'ballot', forged(node, {}, index)))),
      0,
    );
  });

  test('proposals with more prevotes than there are voters (§13.2)', () => {
    for (const [shown, checks] of [
      [5, 0],
      [4, 5],
    ] as const) {
      const { world, alpha, made, checked, forged } = voter();
      const { instance, decision } = alpha.state.finality;
      const round = [1, 2, 3, 4, 5, 6, 7, 8].find((one) =>
        others.includes(nameOf(world, proposerOf(instance, decision.setup.voters, one))),
      );
      const proposer = memberOf(world, nameOf(world, proposerOf(instance, decision.setup.voters, round ?? 0)));
      const { publicKey: key, sign } = proposer.operationalKey('boot');
      const prevotes = Array.from({ length: shown }, (_, index) => ({ key, envelope: forged(proposer.node, { step: 'prevote' }, index) }));
      const said = {
        network: networkId(world.network),
        instance,
        round: round ?? 0,
        value: made.position.id,
        prevotes,
        node: proposer.node,
      };
      const payload = signMessage(ProposalMessage, said, (input) => sign(input));
      assert.equal(
        checked(() => say(world, alpha, proposer.name, 'ballot', payload)),
        checks,
      );
    }
  });

  test('ballots that repeat what was counted', () => {
    const { world, alpha, made, about, checked, forged } = voter();
    const value = made.position.id;
    const good = ballotOf(world, 'charlie', about, { round: 0, step: 'precommit', value });
    assert.equal(
      checked(() => say(world, alpha, 'charlie', 'ballot', good)),
      1,
    );
    const { node } = memberOf(world, 'charlie');
    assert.equal(
      checked(() => flood(1_000, (index) => say(world, alpha, 'bravo', 'ballot', forged(node, { value }, index)))),
      0,
    );
  });

  test('ballots of rounds far ahead that their voter has passed', () => {
    const { world, alpha, about, checked, forged } = voter();
    const round = DEVICE_LIMITS.voteRoundsAhead + 1_000;
    say(world, alpha, 'charlie', 'ballot', ballotOf(world, 'charlie', about, { round, step: 'prevote' }));
    const { node } = memberOf(world, 'charlie');
    const ahead = (index: number) => ({ round: DEVICE_LIMITS.voteRoundsAhead + 1 + (index % 1_000), step: 'prevote' as const });
    assert.equal(
      checked(() => flood(1_000, (index) => say(world, alpha, 'bravo', 'ballot', forged(node, ahead(index), index)))),
      0,
    );
  });
});

test('who floods with wrong signatures has 512 checked, then 32 a second; what others say counts meanwhile', () => {
  const { world, alpha, made, about, checked, forged } = voter();
  const { node } = memberOf(world, 'charlie');
  const wrong = (index: number) => say(world, alpha, 'bravo', 'ballot', forged(node, { round: index % 64 }, index));
  const { failedChecksBurst, failedChecksPerSecond } = CONSENSUS_LIMITS;
  assert.equal(
    checked(() => flood(4_000, wrong)),
    failedChecksBurst,
  );
  world.nowMs += 1_000;
  assert.equal(
    checked(() => flood(4_000, wrong)),
    failedChecksPerSecond,
  );
  const value = made.position.id;
  for (const name of others.slice(1))
    say(world, alpha, 'delta', 'ballot', ballotOf(world, name, about, { round: 0, step: 'precommit', value }));
  assert.equal(checkpointOf(alpha), 0);
  world.nowMs += 1_000;
  say(world, alpha, 'bravo', 'ballot', ballotOf(world, 'bravo', about, { round: 0, step: 'precommit', value }));
  assert.equal(checkpointOf(alpha), 1);
});

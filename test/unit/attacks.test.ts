/**
 * The attacks on evidence, consensus, committees and anchors that Capstan has to withstand, each with the tests that close it. The tables are
 * checked: a test that is renamed or taken away is missed here. What Keylime's users ran into: `ledger/what-fails-nobody.test.ts`; the contracts of
 * layer 1: `contracts/test`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A test file, without `.test.ts`, and a part of a test's name. */
type Closing = readonly [file: string, name: string];
type Attacks = Readonly<Record<string, readonly Closing[]>>;

const shown = 'integration/attestation/evidence';
const boots = 'integration/attestation/boots';
const enrolment = 'integration/attestation/enrolment';
const onChain = 'unit/protocol/member-evidence';
const verdicts = 'unit/ledger/verdicts';
const blocks = 'unit/ledger/blocks';
const waits = 'unit/chain/wait-certificate';
const taking = 'unit/consensus/taking';
const lottery = 'simulation/lottery';
const forgedPosts = 'integration/layer1/forged-posts';

const evidence: Attacks = {
  'a restricted key signs bytes that do not begin with TPM_GENERATED': [
    [shown, 'bytes that a genuine restricted key signed, but that do not begin with TPM_GENERATED, are no quote'],
    ['unit/tpm/wire', 'bytes without TPM_GENERATED, whatever follows'],
  ],
  'NV_Certify or GetTime passed off as a quote': [
    [shown, 'NV_Certify of chosen contents does not pass as a quote'],
    [shown, 'certified time does not pass as a quote'],
    [onChain, 'TPM2_GetTime passed off as a quote'],
  ],
  'a quote over other PCRs, none, or an inactive bank': [
    [shown, 'is refused: the selection must be exactly PCRs 8 and 14'],
    ['unit/tpm/evidence-attacks', 'a quote over other PCRs, more PCRs, none, or an inactive bank is refused'],
  ],
  'an unrestricted key, one that may leave its chip, one under another parent': [
    [shown, 'an unrestricted key is no attestation key, whatever it signs'],
    [shown, 'a key that may leave its chip is no attestation key'],
    [shown, 'a primary attestation key opens secrets closed for it, and is refused by the qualified signer'],
    ['unit/tpm/evidence-attacks', 'every attribute of the template counts'],
  ],
  'a writable NV index poses as a counter': [
    ['unit/tpm/wire', 'the name of an NV index is that which NV_Certify shows'],
    ['integration/tpm/nv', 'a counter only counts up'],
  ],
  'scheme or hash taken from the signature': [[shown, 'scheme and hash are the key’s, never those that the signature names']],
  'the endorsement key of another chip, or its certificate': [
    [enrolment, 'and not with the certificate of another chip'],
    [shown, 'a certificate for another chip’s endorsement key is refused'],
    ['integration/identity/identity', 'a key that poses as the endorsement key'],
  ],
  'an attestation key that is not bound to the endorsement key: cuckoo, relay': [
    [enrolment, "and not with another chip's keys under its certificate: a cuckoo's qualified signer is its own"],
    [enrolment, 'for keys made in software by no chip, not even by that of the certificate: a relay gains nothing'],
    ['integration/consensus/joining', 'a copied certificate with keys made in software gets no vouch, whatever it answers'],
    [
      'integration/identity/founding',
      'a card of a copied certificate and keys made in software gets no seat, whatever TPM stands behind it',
    ],
  ],
  'an expired or unknown authority, software TPMs where chips count': [
    [enrolment, 'and not of a software TPM where the genesis names makers of chips alone'],
    [enrolment, 'and not of another authority, though its certificates bear the same names'],
    [enrolment, 'and not before the certificate is valid, by chain time'],
    ['unit/tpm/endorsement-certificate', 'validity includes both of its ends'],
  ],
  'trailing bytes, truncation, lengths that are not the shortest, high s as an identifier': [
    [shown, 'a quote that is cut off, or has bytes behind its end, is refused'],
    ['unit/tpm/certificate', 'lengths are definite and in their shortest form'],
    ['unit/tpm/evidence-attacks', 'both halves of s are accepted, so a signature is never an identifier'],
    [waits, 'the other half of s is refused, so that a block has one id'],
    [onChain, 'evidence with any single byte changed is not trusted'],
  ],
  'replay; evidence for another subject, network or purpose': [
    [enrolment, 'not for evidence that it showed before: a replay is not of now'],
    [enrolment, "not for another's evidence, nor for its own about another operational key"],
    [onChain, 'for another network, node, key or checkpoint: replays say nothing'],
    [onChain, 'about a checkpoint before the moment: an earlier good state is no evidence of now'],
    ['unit/ledger/attestations', 'comes once a slot, a replay included'],
  ],
  'software that no release lists, or one that is over': [
    [enrolment, 'not for software that no release lists, or whose release is over or not begun'],
    ['integration/consensus/joining', 'a newcomer whose firmware is not among the references gets no vouch'],
    [onChain, 'releases overlap: whoever updates while both are good fails at no moment, and an ended one is untrusted'],
  ],
  "a copy of a software TPM's state": [
    [boots, 'of a TPM’s state and its copy neither is believed, even when the copy moves its Clock forward'],
    ['integration/attestation/member-evidence', "a copy of a TPM's state is found as soon as both have shown evidence"],
    [onChain, 'counts that fell: a TPM cleared, rewound or copied'],
    [onChain, 'two operational keys of one boot, or one of two'],
    ['integration/poet/wait-certificate', 'of a TPM’s state and its copy both certify, and on one branch the second is refused'],
  ],
  'Clock set forward, a clock that runs fast': [
    [boots, 'Clock set forward by its owner changes nothing that is decided: Time is what counts'],
    [waits, 'Time counts, not Clock: a clock set forward gains nothing'],
    ['integration/poet/wait-certificate', 'a clock run 20 % fast passes the certificate'],
    ['unit/consensus/rate-audit', 'a clock that runs 20 % fast is seen within 12 blocks of its member'],
  ],
  'TPM2_Clear rewinds the counters': [
    [boots, 'after TPM2_Clear, which rewinds the counters, the attestation key is gone and the device refuses to start'],
    ['integration/poet/wait-certificate', 'a wait does not outlive TPM2_Clear'],
  ],
  'secrets on the bus, another salt key': [
    ['integration/tpm/sealed', 'what is sealed and unsealed crosses the bus encrypted'],
    ['integration/tpm/sealed', 'without a pinned salt key, or with another key in its place, no secret is sent'],
  ],
  'a TPM that is missing, and another that answers': [
    ['integration/identity/identity', 'a missing TPM is an error, never another one that happens to answer'],
  ],
  'the reset line pulled, the chip swapped': [
    ['integration/identity/identity', 'another chip under the same state is refused, and says so'],
    ['integration/poet/wait-certificate', 'a device whose TPM was reset under it certifies nothing more'],
  ],
  'registers that are zero, or that somebody else has extended': [
    [boots, 'registers that are zero, because nothing was measured, are refused'],
    [onChain, 'registers other than those quoted, or never extended'],
    ['integration/attestation/member-evidence', 'a register that somebody extends beside the firmware is untrusted until the next boot'],
    [onChain, 'a changed PCR: the log does not replay'],
  ],
};

const consensus: Attacks = {
  'waits that overlap': [
    [waits, 'no wait begins on a block before that block’s own wait was certified'],
    ['integration/poet/wait-certificate', 'two waits of one member that overlap are refused on one branch'],
  ],
  'a private tree of forks': [
    [lottery, 'a private tree of forks is as fast as one chain'],
    ['unit/ledger/epochs', 'no content of a block enters the seed'],
  ],
  'the last revealer': [
    [lottery, 'withholding at the end of an epoch is worth less than one block in a hundred'],
    ['unit/ledger/epochs', 'one block of epoch 0 that is not final keeps the seed: outputs withheld until after it are dropped'],
  ],
  'two VRF keys of one chip, a key chosen among many': [
    [blocks, 'with a draw under another VRF key of the same chip: grinding over keys'],
    ['unit/ledger/membership', 'comes once for a chip, whatever its name, VRF key or standing: no second key, no way back'],
    ['unit/ledger/membership', 'draws from the third epoch after its seat, on a seed made of later outputs'],
    [lottery, 'a key that was chosen among many wins no more under a later seed'],
  ],
  'two certificates of one chip as two seats': [
    ['unit/tpm/evidence-attacks', 'a public area of another template is refused: one chip, one seat'],
    ['unit/protocol/network', 'a node id is the digest of the endorsement key: one chip, one seat'],
  ],
  'a malformed RSA key with several proofs': [
    ['unit/tpm/vrf', 'a missing, repeated, swapped or changed root shows nothing'],
    ['integration/identity/identity', 'a VRF key that does not show its roots is refused: its proofs might not be unique'],
  ],
  'a committee drawn in private, or ground for': [
    ['unit/chain/public-draw', 'beyond that a committee is drawn without replacement, the same for everybody'],
    ['unit/ledger/admission-committee', 'is drawn by network, seed and epoch, so that anybody can repeat it'],
  ],
  'a committee that is captured': [
    ['unit/ledger/admission-committee', 'is captured as seldom as the specification says'],
    [verdicts, 'against drawn judges: a captured committee loses half of its credit, its victim nothing'],
    [verdicts, 'accused ones included, so that captured committees disfranchise nobody'],
    [verdicts, 'against a member ends its work at once, and leaves its seat: drawn judges take none'],
    ['unit/ledger/reveals', 'costs a captured committee half of its credit, once'],
  ],
  'votes that are undrawn, duplicate, late, replayed or inflated': [
    [verdicts, 'of an undrawn member, or the subject, are refused'],
    [verdicts, 'count once each: weight-inflated by a second vote is refused'],
    [verdicts, 'comes once, in its slot or the next'],
    [verdicts, 'are about this subject, slot, level, word and evidence: replayed for another they are refused'],
    ['unit/ledger/admission-committee', 'the word of a seat that was not drawn is refused'],
    ['unit/ledger/membership', 'counts once for each member, and for applicants only'],
    ['unit/chain/finality-certificate', 'is refused: replayed'],
  ],
  'judges that always say yes, never answer, accuse, or say two words': [
    ['unit/ledger/reveals', 'costs judges that say yes half of their credit by their own ballots, though no certificate shows them'],
    ['unit/ledger/trust-work', 'for more than trustedCheckpoints loses an eighth each slot, as long as it could be drawn'],
    [verdicts, "in vain costs half of the credit, a right one pays: accusers don't last"],
    ['unit/ledger/contrary-verdicts', 'for different words expel it, and its credit is gone'],
    ['simulation/credit', 'without ballots that are shown, judges that say yes would keep their weight'],
  ],
  'a subject that answers only its friends, or plays dead': [
    [verdicts, 'needs evidence on the branch: a subject that played dead is trusted by nobody'],
    ['unit/ledger/attestations', 'finds who showed nothing in the slot before unreachable'],
  ],
  'bad evidence that is called a plant': [
    ['unit/ledger/reveals', 'is no excuse: evidence that was good, or a chip that runs something else, is not planted'],
    ['unit/ledger/reveals', 'stands in the slots that the VRF says, shown by its proof'],
  ],
  'many applications with copied certificates': [
    ['unit/ledger/applications', 'gives way to another of that chip after 32 heights, and not before'],
    ['unit/ledger/applications', '32 are open at a time'],
  ],
  'membership that shrinks on a private fork': [
    ['unit/chain/finality-proof', 'seats that shrink on a private fork need a quorum of those before'],
  ],
  'a late smaller wait': [['unit/consensus/forks', 'is the first one seen otherwise: a late smaller wait does not restart everyone']],
  'an operational key that lives elsewhere': [
    [boots, 'an operational key that PCR 8 does not hold is refused: it may live elsewhere'],
    ['unit/chain/voucher', 'a key that the TPM does not hold is refused: it lives elsewhere'],
    ['unit/ledger/attestations', 'is about the key that signs the action, in its form'],
  ],
  'an early, late, reused or foreign wait certificate; start and end in the other order': [
    [blocks, 'whose chip counted less than the wait: an early certificate'],
    [blocks, 'with the start of another parent, member or height: foreign and reused certificates'],
    [waits, 'an end long after the wait is accepted: late blocks only lose'],
    [waits, 'start and end made in the other order, or one for both, are refused'],
  ],
  'withholding, forks fed in secret, forged chips': [
    [taking, 'a chain made ahead of time gains one tolerance, not one for each block: forged chips, withholding'],
    [taking, 'a chain that was made in secret is followed at the pace of its waits, however it is dated'],
    ['unit/consensus/forks', 'of two heads on different parents is the first seen: forks fed in secret win nothing by being late'],
    [lottery, 'one forged chip of fifty gains at most its tolerance'],
    [lottery, 'forty-eight members of a hundred do not have half of the blocks by any trick'],
  ],
  'two blocks of one height, on one parent or another': [
    ['unit/ledger/equivocation', 'expel it, with its boxes, and its seat goes with the next checkpoint'],
    ['unit/ledger/equivocation', 'on different parents expel it too'],
    ['unit/ledger/equivocation', 'of one voter, round and step for different values expel it'],
  ],
  'long-range history': [
    ['unit/consensus/votes', 'a block below the last checkpoint, or on a branch that lost, is not taken: long-range history'],
  ],
  'partition in halves, an outage of all': [
    ['unit/consensus/agreement', 'halves that could not hear one another agree again'],
    ['unit/consensus/agreement', 'everyone restarts at once after an hour without power: the chain goes on'],
    ['unit/ledger/what-fails-nobody', 'of halves, in which nothing is certified, ages neither'],
    ['unit/ledger/what-fails-nobody', 'after which everybody boots anew fails nobody'],
  ],
  'a peer that lies to whoever comes late': [
    ['unit/consensus/sync', 'does not keep a member from the truth that others tell'],
    ['unit/consensus/coming-late', 'is not kept from it by peers that lie, are silent or have nothing'],
  ],
  'floods of memory and disk': [
    ['unit/consensus/ballot-flood', 'who floods with wrong signatures has 512 checked, then 32 a second'],
    ['unit/consensus/pool-shares', 'of one author 256 transactions wait, whoever passes them on'],
    ['unit/consensus/refusal-flood', 'a refused card counts as 32 checks'],
    ['unit/consensus/votes', 'in thousands take a bounded room'],
  ],
};

const anchors: Attacks = {
  'a post whose votes solc reads and devices do not: cut padding, offsets elsewhere': [
    [forgedPosts, 'votes in calldata that is not canonical are refused'],
  ],
  'counts that devices can’t hold, so that they come to another digest than the contract': [
    [forgedPosts, 'a count of 2^53 or more, which devices can’t hold, is refused'],
    [forgedPosts, 'behind a vote that holds the forged ones are found and challenged'],
  ],
  'one endpoint of several that hides a post, its votes, or the tip': [
    [forgedPosts, 'a post is challenged on one endpoint’s word, though another ${lies}'],
  ],
  'a challenge that meets a reorganisation, or is refused': [
    [forgedPosts, 'a challenge that was refused is tried again while the post is open'],
    ['unit/layer1/anchor-post', 'of several that do not hold, the first one from where judging begins is named, and none is passed over'],
  ],
  'a flood of posts that blinds whoever watches': [
    [forgedPosts, 'posts that come in a flood are read block by block where an endpoint answers no more at once'],
  ],
};

const folder = fileURLToPath(new URL('..', import.meta.url));
const read = new Map<string, string>();

function sourceOf(file: string): string {
  const source = read.get(file) ?? readFileSync(`${folder}${file}.test.ts`, 'utf8');
  read.set(file, source);
  return source;
}

for (const [about, attacks] of Object.entries({ evidence, 'consensus and committees': consensus, anchors })) {
  describe(`each attack on ${about} is closed by tests that are there`, () => {
    for (const [attack, closings] of Object.entries(attacks))
      test(attack, () => {
        assert.ok(closings.length > 0);
        for (const [file, name] of closings) assert.ok(sourceOf(file).includes(name), `${file}.test.ts has no test "${name}"`);
      });
  });
}

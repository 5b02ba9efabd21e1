/**
 * The root of a state: what a block's header commits to, and under which its core and single members can be shown.
 * Specification §11.4.
 */
import { decodeStrict, encodeStrict, sameBytes } from '../codec.ts';
import { Digest, domainDigest, hex, uint64 } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { Member } from '../network.ts';
import { bytes, integer, list, struct, type Infer } from '../schema.ts';
import { isSet, pathTo, type StateMap, type Tree } from './state-map.ts';
import { BoxRecord, CapsuleRecord, CoreState, MemberRecord, MemberStanding, type ChainState } from './state.ts';

/** Of each part; digests of what has not changed since another state are not computed again. */
export function stateRoot(state: ChainState): Uint8Array {
  return rootOf(coreDigest(state.core), partRoots(state));
}

const MemberProof = struct({
  record: bytes({ min: 1, max: LIMITS.memberRecordBytesMax }),
  /** From the root downwards; what it means is in `judgeStateProof`. */
  path: list(struct({ bit: integer({ min: 0, max: 8 * 64 }), sibling: Digest }), { max: 8 * 64 }),
});

/** Core and some members of a state, so that whoever knows its root can believe them. */
export const StateProof = struct({
  core: bytes({ min: 1, max: LIMITS.coreBytesMax }),
  membersRoot: Digest,
  boxesRoot: Digest,
  capsulesRoot: Digest,
  members: list(MemberProof, { max: LIMITS.votersMax }),
});
export type StateProof = Infer<typeof StateProof>;

/** What a proof shows of a state. */
export interface ProvenState {
  readonly core: CoreState;
  readonly members: readonly MemberRecord[];
}

export type StateProofVerdict =
  | ({ readonly status: 'accepted' } & ProvenState)
  | { readonly status: 'refused'; readonly reason: 'malformed' | 'other-root' | 'not-under-the-root'; readonly detail: string };

/** @param nodes of members that the state has; others are left out */
export function proveState(state: ChainState, nodes: readonly Uint8Array[]): StateProof {
  const { members, boxes, capsules } = partRoots(state);
  const shown = nodes.flatMap((node) => {
    const record = state.members.get(hex(node));
    return record ? [{ record: encodeStrict(MemberRecord, record), path: memberPath(state.members, hex(node)) }] : [];
  });
  return { core: encodeStrict(CoreState, state.core), membersRoot: members, boxesRoot: boxes, capsulesRoot: capsules, members: shown };
}

/** @param root a header's `state` */
export function judgeStateProof(root: Uint8Array, proof: StateProof): StateProofVerdict {
  const core = decodeStrict(CoreState, proof.core, LIMITS.coreBytesMax);
  if (core.status === 'malformed') return refused('malformed', core.detail);
  const parts = { members: proof.membersRoot, boxes: proof.boxesRoot, capsules: proof.capsulesRoot };
  if (!sameBytes(rootOf(coreDigest(core.value), parts), root)) return refused('other-root', 'core and roots are not of this state');
  const members: MemberRecord[] = [];
  for (const { record, path } of proof.members) {
    const decoded = decodeStrict(MemberRecord, record, LIMITS.memberRecordBytesMax);
    if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
    if (!sameBytes(climbed(hex(decoded.value.node), memberDigest(decoded.value), path), proof.membersRoot))
      return refused('not-under-the-root', `the path of ${hex(decoded.value.node)} does not lead to the root of the members`);
    members.push(decoded.value);
  }
  return { status: 'accepted', core: core.value, members };
}

interface PartRoots {
  readonly members: Uint8Array;
  readonly boxes: Uint8Array;
  readonly capsules: Uint8Array;
}

function partRoots({ members, boxes, capsules }: ChainState): PartRoots {
  return {
    members: treeDigest(members.tree, memberDigest),
    boxes: treeDigest(boxes.tree, (box) => domainDigest('state-entry', encodeStrict(BoxRecord, box))),
    capsules: treeDigest(capsules.tree, (capsule) => domainDigest('state-entry', encodeStrict(CapsuleRecord, capsule))),
  };
}

function rootOf(core: Uint8Array, { members, boxes, capsules }: PartRoots): Uint8Array {
  return domainDigest('state', core, members, boxes, capsules);
}

/** By the identity of values, which nobody changes. */
const coreDigests = new WeakMap<CoreState, Uint8Array>();
const cardDigests = new WeakMap<Member, Uint8Array>();
const treeDigests = new WeakMap<object, Uint8Array>();

function coreDigest(core: CoreState): Uint8Array {
  return remembered(coreDigests, core, () => domainDigest('state-entry', encodeStrict(CoreState, core)));
}

/** The card is most of a record and never changes, so it has a digest of its own. */
function memberDigest(record: MemberRecord): Uint8Array {
  const { member, ...standing } = record;
  const card = remembered(cardDigests, member, () => domainDigest('state-entry', encodeStrict(Member, member)));
  return domainDigest('state-entry', card, encodeStrict(MemberStanding, standing));
}

function treeDigest<V>(tree: Tree<V> | undefined, digestOf: (value: V) => Uint8Array): Uint8Array {
  if (tree === undefined) return domainDigest('state-branch');
  return remembered(treeDigests, tree, () =>
    'bit' in tree ? branchDigest(tree.bit, treeDigest(tree.left, digestOf), treeDigest(tree.right, digestOf)) : digestOf(tree.value),
  );
}

function branchDigest(bit: number, left: Uint8Array, right: Uint8Array): Uint8Array {
  return domainDigest('state-branch', uint64(bit), left, right);
}

function memberPath(members: StateMap<MemberRecord>, key: string): { bit: number; sibling: Uint8Array }[] {
  return pathTo(members, key).map(({ bit, sibling }) => ({ bit, sibling: treeDigest(sibling, memberDigest) }));
}

/** The root to which a path leads from an entry. The key says on which side it stands at each fork. */
function climbed(key: string, leaf: Uint8Array, path: readonly { readonly bit: number; readonly sibling: Uint8Array }[]): Uint8Array {
  return path.reduceRight(
    (below, { bit, sibling }) => (isSet(key, bit) ? branchDigest(bit, sibling, below) : branchDigest(bit, below, sibling)),
    leaf,
  );
}

function remembered<K extends object>(known: WeakMap<K, Uint8Array>, key: K, compute: () => Uint8Array): Uint8Array {
  const digest = known.get(key) ?? compute();
  known.set(key, digest);
  return digest;
}

function refused(reason: 'malformed' | 'other-root' | 'not-under-the-root', detail: string): StateProofVerdict {
  return { status: 'refused', reason, detail };
}

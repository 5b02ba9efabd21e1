/**
 * What operators ask about membership, and how it goes: `<state>/membership/<id>.cbor` and `<id>.answer.cbor`, as files by
 * which `npm run chain -- admit` and `leave` speak with the firmware. Specification §11.5.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { bytes, integer, list, oneOf, optional, struct, text, variant, type Infer, type Schema } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';

const Count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** `admit`: bring this member card before the network. `leave`: give up the seat of this device. */
export const MembershipRequest = variant('ask', {
  admit: struct({ card: bytes({ min: 1, max: LIMITS.signedBytesMax }) }),
  leave: struct({}),
});
export type MembershipRequest = Infer<typeof MembershipRequest>;

/**
 * How far a request has come. `asked`: it is said to the others. `in-block`: a block holds it. `final`: a checkpoint does.
 * `in-force`: the newcomer has its seat, or the device that leaves has none any more. `refused`: it can't come to that.
 */
export const MembershipAnswer = struct({
  stage: oneOf('asked', 'in-block', 'final', 'in-force', 'refused'),
  /** Of whom it is about; absent where the card can't be read. */
  member: optional(Name),
  /** Of the block that holds it, where this device saw it. */
  height: optional(Count),
  /** The last checkpoint that this device knows. */
  checkpoint: Count,
  /** Whose word an applicant has, and how many of those who admit must give theirs. */
  vouchedBy: list(Name, { max: LIMITS.chainMembersMax }),
  needed: Count,
  /** Why it is refused; of an applicant that waits for words, why this device has not given its own. */
  reason: optional(text({ min: 1, max: 64 })),
  detail: optional(text({ max: 400 })),
});
export type MembershipAnswer = Infer<typeof MembershipAnswer>;

export interface WaitingRequest {
  readonly id: string;
  readonly request: MembershipRequest;
}

export class MembershipRequests {
  readonly #folder: string;

  /** @param stateFolder of the device */
  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'membership');
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    chmodSync(this.#folder, 0o700);
  }

  /** The same request is the same file. @returns its id */
  ask(request: MembershipRequest): string {
    const encoded = encodeStrict(MembershipRequest, request);
    const id = hex(blobDigest(encoded).subarray(0, 16));
    rmSync(this.#file(id, '.answer.cbor'), { force: true });
    writeWholeFile(this.#file(id, '.cbor'), encoded, 0o600);
    return id;
  }

  /** The oldest by name first, as many as are dealt with at once. What can't be read is removed. */
  waiting(): WaitingRequest[] {
    const ids = readdirSync(this.#folder).flatMap((file) => /^([0-9a-f]{32})\.cbor$/.exec(file)?.[1] ?? []);
    return ids.slice(0, DEVICE_LIMITS.membershipRequestsMax).flatMap((id) => {
      const request = this.#read(this.#file(id, '.cbor'), MembershipRequest);
      if (request) return [{ id, request }];
      this.settle(id);
      return [];
    });
  }

  answer(id: string, answer: MembershipAnswer): void {
    writeWholeFile(this.#file(id, '.answer.cbor'), encodeStrict(MembershipAnswer, answer), 0o600);
  }

  answerTo(id: string): MembershipAnswer | undefined {
    return this.#read(this.#file(id, '.answer.cbor'), MembershipAnswer);
  }

  /** Nothing more is done about it; its answer stays for whoever waits. */
  settle(id: string): void {
    rmSync(this.#file(id, '.cbor'), { force: true });
  }

  /** Drops requests and answers that nobody has touched for a day. */
  dropOld(nowMs: number): void {
    for (const name of readdirSync(this.#folder)) {
      const file = join(this.#folder, name);
      const found = statSync(file, { throwIfNoEntry: false });
      if (found && nowMs - found.mtimeMs > DEVICE_LIMITS.membershipRequestMs) rmSync(file, { force: true, recursive: true });
    }
  }

  #file(id: string, ending: '.cbor' | '.answer.cbor'): string {
    return join(this.#folder, `${id}${ending}`);
  }

  /** Undefined where it is not there, is too large, or is something else. */
  #read<T>(file: string, schema: Schema<T>): T | undefined {
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile() || found.size > DEVICE_LIMITS.membershipFileBytesMax) return undefined;
    const decoded = decodeStrict(schema, new Uint8Array(readFileSync(file)), DEVICE_LIMITS.membershipFileBytesMax);
    return decoded.status === 'decoded' ? decoded.value : undefined;
  }
}

/** What a box may measure: declared for the device's state and for whoever checks with it. Pure. Specification §6.5. */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, list, oneOf, struct, text, variant, type Infer } from '../schema.ts';

/** A boot event as it is compared (register, type, digest) and shown (name). */
export const EventReference = struct({
  type: text({ min: 1, max: 40 }),
  digest: Digest,
  name: text({ max: LIMITS.eventNameCharactersMax }),
});
export type EventReference = Infer<typeof EventReference>;

/** `frozen`: one of these event sequences; `values`: one of these final contents; `any`: whatever the log explains. */
const RegisterRule = variant('rule', {
  frozen: struct({
    alternatives: list(list(EventReference, { max: LIMITS.bootEventsMax }), { min: 1, max: LIMITS.referenceAlternativesMax }),
  }),
  values: struct({ values: list(Digest, { min: 1, max: LIMITS.referenceValuesMax }) }),
  any: struct({}),
});
export type RegisterRule = Infer<typeof RegisterRule>;

const FileReference = struct({
  path: text({ min: 1, max: 4_096 }),
  digests: list(bytes({ min: 16, max: 64 }), { min: 1, max: LIMITS.referenceDigestsMax }),
});

const FilesRule = variant('rule', {
  listed: struct({ files: list(FileReference, { max: LIMITS.referenceFilesMax }) }),
  any: struct({}),
});

export const ReferenceValues = struct({
  version: oneOf(1),
  /** SHA-256 of the public area (TPMT_PUBLIC) of the endorsement key of the box that they are of. */
  endorsementKey: Digest,
  stage: oneOf('learning', 'frozen'),
  /** One for each register of `BOOT_PCRS`, once something was learned; a register without a rule may hold anything. */
  registers: list(struct({ pcr: integer({ min: 0, max: 23 }), known: RegisterRule }), { max: 24 }),
  files: FilesRule,
});
export type ReferenceValues = Infer<typeof ReferenceValues>;

/** The capsule manifest: what runs, on what input, under which limits and policy. Specification §7.1. */
import { decodeJson, decodeStrict, encodeStrict, readPlain, type Decoded } from './codec.ts';
import { Digest, domainDigest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { flag, integer, list, MalformedValue, oneOf, optional, record, struct, text, type Infer, type Schema } from './schema.ts';
import { TrustLevel } from './trust-level.ts';

const NAME_CHARACTERS_MAX = 80;

/** A path inside a capsule or among its outputs: relative, `/` between parts, no `.` or `..`; one that every sandbox takes. */
export const CapsulePath = refined(
  text({
    min: 1,
    max: LIMITS.pathCharactersMax,
    pattern: /^(?!\.{1,2}(\/|$))[^/\\]+(\/(?!\.{1,2}(\/|$))[^/\\]+)*$/,
    like: 'a relative path without "." or ".." parts',
  }),
  objectionToPath,
);

const Runtime = text({ min: 1, max: LIMITS.nameCharactersMax, pattern: /^[a-z][a-z0-9+-]*$/, like: 'a lower-case word such as "python"' });

/** A file of the capsule, code or input alike: its place and the digest of its content. */
const CapsuleFile = struct({
  path: CapsulePath,
  digest: Digest,
  bytes: integer({ min: 0, max: LIMITS.blobBytesMax }),
  executable: optional(flag),
});

const VariableName = refined(
  text({ min: 1, max: 64, pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, like: 'a name of letters, digits and underscores' }),
  (name) => (name.startsWith('CAPSTAN_') ? "begins with CAPSTAN_; these names are the sandbox's own, choose another" : undefined),
);

/** An argument or the value of a variable: execve(2) ends each at its first zero byte. */
const ArgumentText = refined(text({ max: LIMITS.argumentCharactersMax, multiline: true }), (value) =>
  value.includes('\0') ? 'holds a zero byte; a program can only be given text without one' : undefined,
);

/** What a run may use at most. Beyond it the whole process tree is killed, and the receipt says why. */
const ResourceLimits = struct({
  wallMs: integer({ min: 100, max: LIMITS.wallMsMax }),
  cpuMs: integer({ min: 100, max: LIMITS.wallMsMax * 1_024 }),
  memoryBytes: integer({ min: LIMITS.memoryBytesMin, max: LIMITS.memoryBytesMax }),
  processes: integer({ min: 1, max: LIMITS.processesMax }),
  outputBytes: integer({ min: 0, max: LIMITS.outputBytesMax }),
  logBytes: integer({ min: 0, max: LIMITS.logBytesMax }),
});

const Policy = struct({
  /** How many boxes run it, and how many of them must agree. */
  replicas: integer({ min: 1, max: 31 }),
  agreement: integer({ min: 1, max: 31 }),
  /** At least: what a box must have shown (§6.3). */
  trust: TrustLevel,
  /** Unix time; a capsule that has not started by then is `expired`. */
  deadlineMs: optional(integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
});

/** The manifest on the wire. Its strict encoding is what the capsule digest covers. */
export const Manifest = struct({
  version: oneOf(1),
  name: text({ min: 1, max: NAME_CHARACTERS_MAX }),
  runtime: Runtime,
  entry: CapsulePath,
  arguments: list(ArgumentText, { max: LIMITS.argumentsMax }),
  environment: record(VariableName, ArgumentText, { max: LIMITS.environmentMax }),
  files: list(CapsuleFile, { min: 1, max: LIMITS.capsuleFilesMax }),
  limits: ResourceLimits,
  policy: Policy,
});

export type Manifest = Infer<typeof Manifest>;
export type CapsuleFile = Infer<typeof CapsuleFile>;

/** The manifest as people write it, in YAML or JSON; what is left out has the default of {@link MANIFEST_DEFAULTS}. */
export const WRITTEN_MANIFEST_FIELDS = {
  capsule: oneOf(1),
  name: optional(text({ min: 1, max: NAME_CHARACTERS_MAX })),
  runtime: Runtime,
  /** The file that is started. It may stand alone: then it is the whole capsule. */
  entry: CapsulePath,
  arguments: optional(list(ArgumentText, { max: LIMITS.argumentsMax })),
  environment: optional(record(VariableName, ArgumentText, { max: LIMITS.environmentMax })),
  /** Paths beside the manifest, or (over MQTT, where no folder is at hand) files with their content. */
  files: optional(list(text({ min: 1, max: LIMITS.pathCharactersMax }), { max: LIMITS.capsuleFilesMax })),
  content: optional(record(CapsulePath, text({ max: LIMITS.inlineBytesMax, multiline: true }), { max: LIMITS.capsuleFilesMax })),
  limits: optional(
    struct({
      wallSeconds: optional(integer({ min: 1, max: LIMITS.wallMsMax / 1_000 })),
      cpuSeconds: optional(integer({ min: 1, max: LIMITS.wallMsMax })),
      memoryMegabytes: optional(integer({ min: 16, max: LIMITS.memoryBytesMax / 1_048_576 })),
      processes: optional(integer({ min: 1, max: LIMITS.processesMax })),
      outputMegabytes: optional(integer({ min: 0, max: LIMITS.outputBytesMax / 1_048_576 })),
      logKilobytes: optional(integer({ min: 0, max: LIMITS.logBytesMax / 1_024 })),
    }),
  ),
  policy: optional(
    struct({
      replicas: optional(integer({ min: 1, max: 31 })),
      agreement: optional(integer({ min: 1, max: 31 })),
      trust: optional(TrustLevel),
      deadlineSeconds: optional(integer({ min: 1, max: LIMITS.deadlineMaxMs / 1_000 })),
    }),
  ),
} as const;
export const WrittenManifest = struct(WRITTEN_MANIFEST_FIELDS);
export type WrittenManifest = Infer<typeof WrittenManifest>;

/** Enough for a small job, and little enough that a runaway one is noticed soon. */
export const MANIFEST_DEFAULTS = {
  wallSeconds: 600,
  memoryMegabytes: 1_024,
  processes: 64,
  outputMegabytes: 64,
  logKilobytes: 1_024,
} as const;

/** Turns a written manifest into the one on the wire. `atMs`: Unix time from which its deadline counts. */
export function manifestFrom(written: WrittenManifest, files: readonly CapsuleFile[], atMs: number): Manifest {
  const limits = written.limits ?? {};
  const wallMs = (limits.wallSeconds ?? MANIFEST_DEFAULTS.wallSeconds) * 1_000;
  const replicas = written.policy?.replicas ?? 1;
  const deadlineSeconds = written.policy?.deadlineSeconds;
  return {
    version: 1,
    name: written.name ?? nameOf(written.entry),
    runtime: written.runtime,
    entry: written.entry,
    arguments: written.arguments ?? [],
    environment: written.environment ?? {},
    files: [...files],
    limits: {
      wallMs,
      cpuMs: limits.cpuSeconds === undefined ? wallMs : limits.cpuSeconds * 1_000,
      memoryBytes: (limits.memoryMegabytes ?? MANIFEST_DEFAULTS.memoryMegabytes) * 1_048_576,
      processes: limits.processes ?? MANIFEST_DEFAULTS.processes,
      outputBytes: (limits.outputMegabytes ?? MANIFEST_DEFAULTS.outputMegabytes) * 1_048_576,
      logBytes: (limits.logKilobytes ?? MANIFEST_DEFAULTS.logKilobytes) * 1_024,
    },
    policy: {
      replicas,
      agreement: written.policy?.agreement ?? replicas,
      trust: written.policy?.trust ?? 'self-reported',
      ...(deadlineSeconds === undefined ? {} : { deadlineMs: atMs + deadlineSeconds * 1_000 }),
    },
  };
}

/** The front of the entry's path, without the half of a surrogate pair at its end. */
function nameOf(entry: string): string {
  return entry.slice(0, NAME_CHARACTERS_MAX).replace(/[\ud800-\udbff]$/, '');
}

/** Reads a manifest that YAML has parsed, or JSON text as it came over MQTT. */
export function readWrittenManifest(raw: unknown): Decoded<WrittenManifest> {
  return raw instanceof Uint8Array ? decodeJson(WrittenManifest, raw, LIMITS.manifestBytesMax) : readPlain(WrittenManifest, raw);
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  return encodeStrict(Manifest, manifest);
}

/** Reads a manifest from the wire and checks what no single field can: entry present, no path twice or inside another. */
export function decodeManifest(encoded: Uint8Array): Decoded<Manifest> {
  const decoded = decodeStrict(Manifest, encoded, LIMITS.manifestBytesMax);
  if (decoded.status === 'malformed') return decoded;
  const contradiction = contradictionIn(decoded.value);
  return contradiction ? { status: 'malformed', reason: 'not-as-declared', detail: contradiction } : decoded;
}

/** What the receipt calls the capsule: a digest of its manifest, and through it of code and input. */
export function capsuleDigest(encodedManifest: Uint8Array): Uint8Array {
  return domainDigest('capsule', encodedManifest);
}

/** What is wrong with paths side by side, as the end of a sentence. */
export function conflictAmong(paths: readonly string[]): string | undefined {
  if (new Set(paths).size !== paths.length) return 'lists one path twice';
  const inFile = insideAnother(paths);
  return inFile === undefined ? undefined : `uses a part of "${inFile}" as a file and as a folder`;
}

function contradictionIn(manifest: Manifest): string | undefined {
  const paths = manifest.files.map((file) => file.path);
  const conflict = conflictAmong(paths);
  if (conflict !== undefined) return `the manifest ${conflict}`;
  if (!paths.includes(manifest.entry)) return `the entry "${manifest.entry}" is not among the files`;
  if (manifest.policy.agreement > manifest.policy.replicas)
    return `${manifest.policy.agreement} of ${manifest.policy.replicas} replicas can't agree`;
  return undefined;
}

/** A path that has another one as its folder. In order of code units a folder stands right before what is in it. */
function insideAnother(paths: readonly string[]): string | undefined {
  const folders = paths.map((path) => `${path}/`).sort();
  return folders.find((folder, index) => index > 0 && folder.startsWith(folders[index - 1] ?? folder))?.slice(0, -1);
}

/** Text of which a pattern alone can't say what is wrong. */
function refined(schema: Schema<string>, objectionTo: (value: string) => string | undefined): Schema<string> {
  return {
    read(raw, at, notation) {
      const value = schema.read(raw, at, notation);
      const objection = objectionTo(value);
      if (objection !== undefined) throw new MalformedValue(`${at} ${objection}`);
      return value;
    },
    write: (value, notation) => schema.write(value, notation),
  };
}

function objectionToPath(path: string): string | undefined {
  if (/[\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(path)) return 'holds a mark that reorders or breaks the text around it; leave it out';
  const parts = path.split('/');
  if (parts.length > LIMITS.pathDepthMax) return `is ${parts.length} levels deep; at most ${LIMITS.pathDepthMax} are accepted`;
  if (parts.some((part) => new TextEncoder().encode(part).length > LIMITS.pathSegmentBytesMax))
    return `has a part of more than ${LIMITS.pathSegmentBytesMax} bytes, which no file system of Linux takes`;
  return undefined;
}

/**
 * Keys of the chip: made from the templates of protocol/tpm/templates.ts, kept at persistent handles.
 * TPM 2.0 Part 3 sections 12 (object commands), 24.1 (CreatePrimary) and 28.5 (EvictControl).
 *
 * No key stays loaded between operations, except by `loadKey`; at most two are during one.
 */
import { endorsementPolicy } from '#protocol/tpm/templates.ts';
import { type PublicArea, SizedPublicArea } from '#protocol/tpm/public-area.ts';

import { requireDecoded, sized, unsized } from './answer.ts';
import { hasTpmCode } from './error.ts';
import { hierarchies, none, type KeyHandle, type KeyReference, type PersistentHandle, type SessionHandle } from './handle.ts';
import { emptyPassword, unauthorized, withEndorsementPolicy } from './session.ts';
import { withLoaded, type Chip, type Tpm } from './tpm.ts';

/** Where keys stay: TCG EK Credential Profile section 2.2.1.4 and Provisioning Guidance section 7.8. */
export const keyHandles = {
  storageKey: 0x81000001 as PersistentHandle,
  endorsementKey: 0x81010001 as PersistentHandle,
  eccEndorsementKey: 0x81010002 as PersistentHandle,
  attestationKey: 0x81010010 as PersistentHandle,
  vrfKey: 0x81010011 as PersistentHandle,
} as const;

/** A key as the chip shows it. */
export interface ShownKey {
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
  /** 34 bytes for SHA-256: algorithm and digest of the public area. */
  readonly name: Uint8Array;
  /** Name of the chain of parents. */
  readonly qualifiedName: Uint8Array;
}

/** A key as it leaves the chip, to be loaded by its parent. */
export interface WrappedKey {
  /** TPM2B_PRIVATE without its length: encrypted by the parent. */
  readonly privateArea: Uint8Array;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
}

/** A key just made, with what CertifyCreation needs. */
export interface CreatedKey extends WrappedKey {
  /** TPMS_CREATION_DATA. */
  readonly creationData: Uint8Array;
  readonly creationHash: Uint8Array;
  /** TPMT_TK_CREATION, whole. */
  readonly creationTicket: Uint8Array;
}

/** A key that its hierarchy and its template determine. */
export interface PrimaryKey {
  readonly hierarchy: 'endorsement' | 'owner';
  readonly template: PublicArea;
}

/** The key at a persistent handle, or undefined where there is none. */
export async function readPersistentKey(tpm: Tpm, at: PersistentHandle): Promise<ShownKey | undefined> {
  return tpm.exclusive((chip) => readIfThere(chip, at));
}

/** @throws TpmError where there is none */
export async function readKey(tpm: Tpm, key: KeyReference): Promise<ShownKey> {
  return tpm.exclusive(async (chip) => show(chip, await chip.resolve(key)));
}

/**
 * Makes a primary key, which is always the same one for one template and one chip, and keeps it.
 * @throws TpmError where another key is there
 */
export async function createPrimaryKey(tpm: Tpm, request: PrimaryKey & { at: PersistentHandle }): Promise<ShownKey> {
  return tpm.exclusive(async (chip) => {
    await chip.forget(request.at);
    return withPrimaryKey(chip, request, async (key) => keep(chip, key, request.at));
  });
}

/** A primary key without keeping it: to compare what a template gives with what is kept or certified. */
export async function showPrimaryKey(tpm: Tpm, request: PrimaryKey): Promise<ShownKey> {
  return tpm.exclusive((chip) => withPrimaryKey(chip, request, (key) => show(chip, key)));
}

/**
 * Makes a key under a parent. It is not loaded: see `persistKey`.
 * @param request.outsideInfo at most 66 bytes that its creation data will carry
 */
export async function createKey(
  tpm: Tpm,
  request: { parent: KeyReference; template: PublicArea; outsideInfo?: Uint8Array },
): Promise<CreatedKey> {
  return tpm.exclusive(async (chip) => {
    const parent = await chip.resolve(request.parent);
    const [privateArea, publicArea, creationData, creationHash, creationTicket] = await withParent(chip, parent, (session) =>
      chip.esys.Create(
        parent,
        session,
        none,
        none,
        noSensitive,
        SizedPublicArea.encode(request.template),
        sized(request.outsideInfo ?? empty),
        noPcrs,
      ),
    );
    return {
      privateArea: unsized(privateArea),
      publicArea: unsized(publicArea),
      creationData: unsized(creationData),
      creationHash: unsized(creationHash),
      creationTicket,
    };
  });
}

/** Keeps a key at a persistent handle. @throws TpmError where the parent is another one, or something is there already */
export async function persistKey(tpm: Tpm, request: { parent: KeyReference; key: WrappedKey; at: PersistentHandle }): Promise<ShownKey> {
  return tpm.exclusive(async (chip) => {
    await chip.forget(request.at);
    return withLoadedKey(chip, request.parent, request.key, (key) => keep(chip, key, request.at));
  });
}

/**
 * Loads a key that stays loaded: it takes one of the chip's three slots until `unloadKey`.
 * For keys that are not to wear the chip's memory; a device keeps its own with `persistKey`.
 */
export async function loadKey(tpm: Tpm, request: { parent: KeyReference; key: WrappedKey }): Promise<KeyHandle> {
  return tpm.exclusive((chip) => loadUnder(chip, request.parent, request.key));
}

/** As `createPrimaryKey`, but loaded until `unloadKey` instead of kept. */
export async function loadPrimaryKey(tpm: Tpm, request: PrimaryKey): Promise<KeyHandle> {
  return tpm.exclusive((chip) => makePrimary(chip, request));
}

export async function unloadKey(tpm: Tpm, key: KeyHandle): Promise<void> {
  await tpm.exclusive(({ esys }) => esys.FlushContext(key));
}

/** Takes a key away from its persistent handle. @throws TpmError where none is there */
export async function evictKey(tpm: Tpm, at: PersistentHandle): Promise<void> {
  await tpm.exclusive(async (chip) => {
    const handle = await chip.resolve(at);
    await chip.esys.EvictControl(hierarchies.owner, handle, ...emptyPassword, at);
    await chip.forget(at);
  });
}

/** Runs `work` with a child loaded under its parent. */
export async function withLoadedKey<T>(
  chip: Chip,
  parentAt: KeyReference,
  key: WrappedKey,
  work: (key: KeyHandle) => Promise<T>,
): Promise<T> {
  return withLoaded(chip, await loadUnder(chip, parentAt, key), work);
}

const empty = new Uint8Array();
/** TPM2B_SENSITIVE_CREATE with no authorisation value and no data. */
const noSensitive = Uint8Array.of(0, 4, 0, 0, 0, 0);
/** TPML_PCR_SELECTION of nothing. */
const noPcrs = Uint8Array.of(0, 0, 0, 0);

async function withPrimaryKey<T>(chip: Chip, primary: PrimaryKey, work: (key: KeyHandle) => Promise<T>): Promise<T> {
  return withLoaded(chip, await makePrimary(chip, primary), work);
}

async function makePrimary(chip: Chip, { hierarchy, template }: PrimaryKey): Promise<KeyHandle> {
  const [handle] = await chip.esys.CreatePrimary(
    hierarchies[hierarchy],
    ...emptyPassword,
    noSensitive,
    SizedPublicArea.encode(template),
    sized(empty),
    noPcrs,
  );
  return handle;
}

async function loadUnder(chip: Chip, parentAt: KeyReference, key: WrappedKey): Promise<KeyHandle> {
  const parent = await chip.resolve(parentAt);
  return withParent(chip, parent, (session) => chip.esys.Load(parent, session, none, none, sized(key.privateArea), sized(key.publicArea)));
}

async function keep(chip: Chip, key: KeyHandle, at: PersistentHandle): Promise<ShownKey> {
  const kept = await chip.esys.EvictControl(hierarchies.owner, key, ...emptyPassword, at);
  if (kept !== none) await chip.esys.TR_Close(kept as KeyHandle);
  return show(chip, key);
}

/** The authorisation to use a parent: the endorsement policy where its public area says so, else its empty value. */
async function withParent<T>(
  chip: Chip,
  parent: KeyHandle,
  work: (session: SessionHandle | (typeof emptyPassword)[0]) => Promise<T>,
): Promise<T> {
  const [publicArea] = await chip.esys.ReadPublic(parent, ...unauthorized);
  const { authPolicy } = requireDecoded(SizedPublicArea, publicArea);
  return authPolicy.toHex() === endorsementPolicy.toHex() ? withEndorsementPolicy(chip, work) : work(emptyPassword[0]);
}

async function readIfThere(chip: Chip, at: PersistentHandle): Promise<ShownKey | undefined> {
  try {
    return await show(chip, await chip.resolve(at));
  } catch (error) {
    if (hasTpmCode(error, 'handleInvalid')) return undefined;
    throw error;
  }
}

async function show(chip: Chip, key: KeyHandle): Promise<ShownKey> {
  const [publicArea, name, qualifiedName] = await chip.esys.ReadPublic(key, ...unauthorized);
  return { publicArea: unsized(publicArea), name: unsized(name), qualifiedName: unsized(qualifiedName) };
}

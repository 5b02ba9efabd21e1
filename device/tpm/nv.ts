/**
 * NV indexes: read in pieces, written, counted up, made and removed. TPM 2.0 Part 3 section 31.
 * EK certificates stand there: TCG EK Credential Profile section 2.2.1.4.
 */
import { type NvPublic, SizedNvPublic } from '#protocol/tpm/nv-public.ts';

import { requireDecoded, sized, unsized } from './answer.ts';
import { readProperty } from './capability.ts';
import { hasTpmCode } from './error.ts';
import { hierarchies, none, password, type AuthorityHandle, type NvHandle } from './handle.ts';
import { emptyPassword, unauthorized } from './session.ts';
import type { Chip, Tpm } from './tpm.ts';

/** Where certificates stand: L-1 RSA-2048, L-2 P-256, and P-384, which software TPMs have. */
export const certificateIndexes = {
  endorsementKey: 0x01c00002,
  eccEndorsementKey: 0x01c0000a,
  p384EndorsementKey: 0x01c00016,
  platform: 0x01c08000,
} as const;

/** An index during one operation. */
export interface OpenNvIndex {
  readonly handle: NvHandle;
  readonly nvPublic: NvPublic;
  /** Name with the attributes of this moment: `written` is one of them. */
  readonly name: Uint8Array;
  /** Who may read it with an empty authorisation value, as its attributes say. */
  readonly reader: AuthorityHandle;
  readonly writer: AuthorityHandle;
}

/** TPM_PT_NV_BUFFER_MAX, Part 2 section 6.13. */
const nvBufferMax = 0x12c;

/** All that an index contains, or undefined where there is none. @throws TpmError where it was never written */
export async function nvRead(tpm: Tpm, index: number): Promise<Uint8Array | undefined> {
  return tpm.exclusive(async (chip) => ifDefined(() => withNvIndex(chip, index, (open) => readAll(chip, open))));
}

/** What an index is, or undefined where there is none. */
export async function nvReadPublic(tpm: Tpm, index: number): Promise<{ nvPublic: NvPublic; name: Uint8Array } | undefined> {
  return tpm.exclusive(async (chip) => ifDefined(() => withNvIndex(chip, index, async ({ nvPublic, name }) => ({ nvPublic, name }))));
}

/** Makes an index with an empty authorisation value. @throws TpmError where there is one already, or no room */
export async function nvDefine(tpm: Tpm, request: { hierarchy: 'owner' | 'platform'; nvPublic: NvPublic }): Promise<void> {
  await tpm.exclusive(async ({ esys }) => {
    const handle = await esys.NV_DefineSpace(
      hierarchies[request.hierarchy],
      ...emptyPassword,
      sized(new Uint8Array()),
      SizedNvPublic.encode(request.nvPublic),
    );
    await esys.TR_Close(handle);
  });
}

export async function nvUndefine(tpm: Tpm, request: { hierarchy: 'owner' | 'platform'; index: number }): Promise<void> {
  await tpm.exclusive(async ({ esys }) => {
    const handle = (await esys.TR_FromTPMPublic(request.index, ...unauthorized)) as NvHandle;
    await esys.NV_UndefineSpace(hierarchies[request.hierarchy], handle, ...emptyPassword);
  });
}

/** Writes an ordinary index from `offset` on, in pieces. */
export async function nvWrite(tpm: Tpm, request: { index: number; bytes: Uint8Array; offset?: number }): Promise<void> {
  const start = request.offset ?? 0;
  await tpm.exclusive(async (chip) =>
    withNvIndex(chip, request.index, async ({ handle, writer }) => {
      const step = await readProperty(chip, nvBufferMax);
      for (let at = 0; at < request.bytes.length; at += step) {
        await chip.esys.NV_Write(writer, handle, ...emptyPassword, sized(request.bytes.subarray(at, at + step)), start + at);
      }
    }),
  );
}

/** Counts a counter index up by one. */
export async function nvIncrement(tpm: Tpm, index: number): Promise<void> {
  await tpm.exclusive(async (chip) =>
    withNvIndex(chip, index, ({ handle, writer }) => chip.esys.NV_Increment(writer, handle, ...emptyPassword)),
  );
}

/** Extends an extend index, as a register of its own. */
export async function nvExtend(tpm: Tpm, request: { index: number; bytes: Uint8Array }): Promise<void> {
  await tpm.exclusive(async (chip) =>
    withNvIndex(chip, request.index, ({ handle, writer }) => chip.esys.NV_Extend(writer, handle, ...emptyPassword, sized(request.bytes))),
  );
}

/** Runs `work` with a handle for an index, and forgets the handle. @throws TpmError where there is no such index */
export async function withNvIndex<T>(chip: Chip, index: number, work: (open: OpenNvIndex) => Promise<T>): Promise<T> {
  const handle = (await chip.esys.TR_FromTPMPublic(index, ...unauthorized)) as NvHandle;
  try {
    const [bytes, name] = await chip.esys.NV_ReadPublic(handle, ...unauthorized);
    const nvPublic = requireDecoded(SizedNvPublic, bytes);
    const { attributes } = nvPublic;
    const reader = authority(handle, attributes.authRead, attributes.ownerRead);
    const writer = authority(handle, attributes.authWrite, attributes.ownerWrite);
    return await work({ handle, nvPublic, name: unsized(name), reader, writer });
  } finally {
    await chip.esys.TR_Close(handle).catch(() => undefined);
  }
}

function authority(handle: NvHandle, byItself: boolean, byOwner: boolean): AuthorityHandle {
  if (byItself) return handle;
  return byOwner ? hierarchies.owner : hierarchies.platform;
}

async function readAll(chip: Chip, { handle, reader, nvPublic }: OpenNvIndex): Promise<Uint8Array> {
  const all = new Uint8Array(nvPublic.dataBytes);
  const step = await readProperty(chip, nvBufferMax);
  for (let at = 0; at < all.length; at += step) {
    const bytes = Math.min(step, all.length - at);
    all.set(unsized(await chip.esys.NV_Read(reader, handle, password, none, none, bytes, at)), at);
  }
  return all;
}

async function ifDefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (hasTpmCode(error, 'handleInvalid')) return undefined;
    throw error;
  }
}

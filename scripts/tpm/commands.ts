/** The commands of `npm run tpm`: info, pcrs, time, quote. They read; nothing in the chip is changed. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';

import { hashBytes, type TpmHash } from '#protocol/tpm/algorithm.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';

import { loadAddon } from '../../device/addon.ts';
import { getTime, quote, type Attestation } from '../../device/tpm/attestation.ts';
import { describeTpm } from '../../device/tpm/capability.ts';
import { readClock } from '../../device/tpm/clock.ts';
import { keyHandles, readPersistentKey } from '../../device/tpm/keys.ts';
import { certificateIndexes, nvRead } from '../../device/tpm/nv.ts';
import { pcrRead } from '../../device/tpm/pcr.ts';
import type { Tpm } from '../../device/tpm/tpm.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { durationText } from '../terminal.ts';
import { withAttester } from './attester.ts';
import { connectionOptions, withTpm } from './connection.ts';
import { report, type Rows } from './report.ts';

const pcrsOption = { value: 'LIST', help: 'registers, as 0-7,14' } as const;
const bankOption = { value: 'HASH', help: 'sha1, sha256 (default), sha384 or sha512' } as const;
const nonceOption = { value: 'HEX', help: 'qualifying data, at most 64 bytes (default: 16 random bytes)' } as const;

export const info = commandOf(
  {
    name: 'info',
    summary: 'Says what TPM this is: maker, firmware, clock, keys and certificates.',
    operands: [],
    options: connectionOptions,
  },
  ({ options }) =>
    withTpm(options, async (tpm, owner) => {
      const about = await describeTpm(tpm);
      const clock = await readClock(tpm);
      const keys = await readKeys(tpm);
      const certificates = await readCertificates(tpm);
      const { path, sha256 } = loadAddon();
      const rows: Rows = [
        [
          'TPM',
          `${about.manufacturer} ${about.model}, firmware ${versionText(about.firmwareVersion)}, specification revision ${about.specificationRevision}`,
        ],
        ['running', `${durationText(Number(clock.time))}; resets ${clock.clockInfo.resetCount}, restarts ${clock.clockInfo.restartCount}`],
        ['clock', `${clock.clockInfo.clock} ms, ${clock.clockInfo.safe ? 'safe' : 'not safe: power was cut'}`],
        [
          'lockout',
          `${about.lockout.failures} of ${about.lockout.failuresMax} failures; one is forgotten every ${about.lockout.recoverySeconds} s`,
        ],
        ...keys.map(({ use, name }) => [use, name === undefined ? 'none' : name.toHex()] as const),
        ...certificates.map(({ use, subject, issuer, validTo }) => [use, `${subject}, issued by ${issuer}, until ${validTo}`] as const),
        ['reached by', tpm.tcti],
        ['addon', `${path}, SHA-256 ${sha256.toHex()}`],
      ];
      report({ ...about, owner }, options.json, rows, { ...about, clock, keys, certificates, tcti: tpm.tcti, addon: { path, sha256 } });
      return 0;
    }),
);

export const pcrs = commandOf(
  {
    name: 'pcrs',
    summary: 'Prints the registers of a bank.',
    operands: [],
    options: { ...connectionOptions, pcrs: pcrsOption, bank: bankOption },
  },
  ({ options }) =>
    withTpm(options, async (tpm, owner) => {
      const bank = bankOf(options.bank);
      const about = await describeTpm(tpm);
      const values = await pcrRead(tpm, bank, pcrsOf(options.pcrs ?? '0-23'));
      if (values.size === 0) throw new UsageError(`this TPM keeps no ${bank} bank, or not these registers; sha256 is always there`);
      const sorted = [...values].sort(([left], [right]) => left - right);
      report(
        { ...about, owner },
        options.json,
        sorted.map(([index, value]) => [`${bank} ${index}`, value.toHex()]),
        { bank, registers: Object.fromEntries(sorted) },
      );
      return 0;
    }),
);

export const time = commandOf(
  { name: 'time', summary: 'Has the TPM certify its time.', operands: [], options: { ...connectionOptions, nonce: nonceOption } },
  ({ options }) =>
    withTpm(options, (tpm, owner) =>
      withAttester(tpm, async ({ signer, publicArea, origin }) => {
        const attestation = await getTime(tpm, { signer, qualifyingData: nonceOf(options.nonce) });
        const { attested } = requireKind('time', attestation);
        const { clockInfo } = attested.timeInfo;
        const rows: Rows = [
          ['time', `${attested.timeInfo.time} ms since the TPM got power`],
          ['clock', `${clockInfo.clock} ms, ${clockInfo.safe ? 'safe' : 'not safe'}`],
          ['resets', `${clockInfo.resetCount}, restarts ${clockInfo.restartCount}`],
          ['signed by', origin],
          ...bytesOf(attestation, publicArea),
        ];
        report({ ...(await describeTpm(tpm)), owner }, options.json, rows, {
          timeInfo: attested.timeInfo,
          signedBy: origin,
          publicArea,
          ...attestation,
        });
        return 0;
      }),
    ),
);

export const quoted = commandOf(
  {
    name: 'quote',
    summary: 'Has the TPM sign registers.',
    operands: [],
    options: { ...connectionOptions, pcrs: pcrsOption, bank: bankOption, nonce: nonceOption },
  },
  ({ options }) =>
    withTpm(options, (tpm, owner) =>
      withAttester(tpm, async ({ signer, publicArea, origin }) => {
        const [bank, indices] = [bankOf(options.bank), pcrsOf(options.pcrs ?? '8,14')];
        const qualifyingData = nonceOf(options.nonce);
        const attestation = await quote(tpm, { signer, qualifyingData, selection: selectPcrs(bank, indices) });
        const { attested } = requireKind('quote', attestation);
        const now = await pcrRead(tpm, bank, indices);
        const matches =
          createHash('sha256')
            .update(Buffer.concat([...now].sort(([left], [right]) => left - right).map(([, value]) => value)))
            .digest('hex') === attested.pcrDigest.toHex();
        const rows: Rows = [
          ['registers', `${bank} ${indices.join(', ')}`],
          ['digest', `${attested.pcrDigest.toHex()}${matches ? ', as the registers are now' : ', which the registers are not now'}`],
          ['qualifying data', qualifyingData.toHex()],
          ['signed by', origin],
          ...bytesOf(attestation, publicArea),
        ];
        report({ ...(await describeTpm(tpm)), owner }, options.json, rows, {
          bank,
          registers: indices,
          pcrDigest: attested.pcrDigest,
          matches,
          qualifyingData,
          signedBy: origin,
          publicArea,
          ...attestation,
        });
        return 0;
      }),
    ),
);

function bytesOf({ attest, signature }: Attestation, publicArea: Uint8Array): Rows {
  return [
    ['TPMS_ATTEST', attest.toHex()],
    ['TPMT_SIGNATURE', signature.toHex()],
    ['TPMT_PUBLIC', publicArea.toHex()],
  ];
}

function requireKind<K extends 'time' | 'quote'>(kind: K, { attest }: Attestation) {
  const decoded = decodeAttestOf(kind, attest);
  if (decoded.status === 'decoded') return decoded.value;
  throw new Error(`The TPM answered with no ${kind}: ${decoded.detail}`);
}

async function readKeys(tpm: Tpm): Promise<{ use: string; name: Uint8Array | undefined }[]> {
  const places = [
    ['endorsement key', keyHandles.endorsementKey],
    ['attestation key', keyHandles.attestationKey],
    ['VRF key', keyHandles.vrfKey],
    ['storage key', keyHandles.storageKey],
  ] as const;
  const keys = [];
  for (const [use, at] of places) keys.push({ use, name: (await readPersistentKey(tpm, at))?.name });
  return keys;
}

async function readCertificates(tpm: Tpm): Promise<{ use: string; subject: string; issuer: string; validTo: string }[]> {
  const places = [
    ['certificate, RSA-2048', certificateIndexes.endorsementKey],
    ['certificate, P-256', certificateIndexes.eccEndorsementKey],
    ['certificate, P-384', certificateIndexes.p384EndorsementKey],
  ] as const;
  const certificates = [];
  for (const [use, index] of places) {
    const bytes = await nvRead(tpm, index);
    if (bytes !== undefined) certificates.push({ use, ...shownCertificate(bytes) });
  }
  return certificates;
}

/** Bytes of the chip: what can't be read is said, not thrown. */
function shownCertificate(bytes: Uint8Array): { subject: string; issuer: string; validTo: string } {
  try {
    const { subject, issuer, validTo } = new X509Certificate(bytes);
    return { subject: oneLine(subject) || 'no subject', issuer: oneLine(issuer), validTo };
  } catch {
    return { subject: `${bytes.length} bytes that are no certificate`, issuer: 'nobody', validTo: 'never' };
  }
}

function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}

function versionText(version: bigint): string {
  return [48n, 32n, 16n, 0n].map((shift) => (version >> shift) & 0xffffn).join('.');
}

function bankOf(text = 'sha256'): TpmHash {
  if (Object.hasOwn(hashBytes, text)) return text as TpmHash;
  throw new UsageError(`there is no bank "${text}"; banks are ${Object.keys(hashBytes).join(', ')}`);
}

function pcrsOf(text: string): number[] {
  const indices = text.split(',').flatMap((part) => {
    const [, first, last = first] = /^(\d{1,2})(?:-(\d{1,2}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) > 23 || Number(first) > Number(last))
      throw new UsageError(`"${part}" names no registers; 0 to 23 do, as 0-7,14`);
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, offset) => Number(first) + offset);
  });
  return [...new Set(indices)].sort((left, right) => left - right);
}

function nonceOf(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(randomBytes(16));
  if (/^([0-9a-fA-F]{2}){1,64}$/.test(text)) return Uint8Array.fromHex(text);
  throw new UsageError('--nonce takes 1 to 64 bytes in hexadecimal, two digits each');
}

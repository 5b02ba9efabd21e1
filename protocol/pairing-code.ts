/** The code of a pairing window as people read, type and scan it, and the address that it comes with. Pure. Specification §5.6. */
import { LIMITS } from './limits.ts';
import { harmless } from './schema.ts';
import { Name, RESERVED_NAMES } from './topics.ts';
import { readPlain } from './codec.ts';

/** What a window is for. */
export const HOLDER_KINDS = ['client', 'box'] as const;
export type HolderKind = (typeof HOLDER_KINDS)[number];

/** Seven characters of Crockford's base 32, without hyphen and check character: what is stretched. */
export type PairingCode = string;

export type Read<T> = { readonly status: 'read'; readonly value: T } | { readonly status: 'unreadable'; readonly detail: string };

/** Where a window is, and for whom. */
export interface WindowAddress {
  /** `mqtts://host:port` of the device's pairing broker. */
  readonly url: string;
  readonly kind: HolderKind;
  readonly name: string;
  /** Where `url` is a broker of somebody else: the name under which the device is known there (§5.7). */
  readonly through?: string;
}

const nameRule = `a name has 1 to ${LIMITS.nameCharactersMax} lower-case letters, digits and inner hyphens`;
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const SECRET_CHARACTERS = 7;
/** Random bytes for one code: each gives five bits. */
export const CODE_RANDOM_BYTES = SECRET_CHARACTERS;

/** @param random {@link CODE_RANDOM_BYTES} of them */
export function pairingCodeFrom(random: Uint8Array): PairingCode {
  return Array.from(random.subarray(0, SECRET_CHARACTERS), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** `ABCD-EFGH`, the last one being the check character. */
export function formatPairingCode(code: PairingCode): string {
  const whole = code + ALPHABET.charAt(checkOf(code));
  return `${whole.slice(0, 4)}-${whole.slice(4)}`;
}

/** Reads what a person typed. The detail never repeats it: it is a secret. */
export function parsePairingCode(typed: string): Read<PairingCode> {
  if (typed.length > LIMITS.pairingTypedCharactersMax) return unreadable('a code has eight characters, shown as ABCD-EFGH');
  const plain = typed
    .toUpperCase()
    .replaceAll(/[\s\p{Dash}_]/gu, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  const strange = Array.from(plain).find((character) => !ALPHABET.includes(character));
  if (strange !== undefined) return unreadable('a code is made of digits and letters without I, L, O and U');
  if (plain.length !== SECRET_CHARACTERS + 1) return unreadable(`a code has eight characters; these are ${plain.length}`);
  const code = plain.slice(0, SECRET_CHARACTERS);
  if (ALPHABET.charAt(checkOf(code)) === plain.at(-1)) return { status: 'read', value: code };
  return unreadable('a character of the code is wrong, or two are exchanged; look again. This costs no attempt');
}

export function formatWindowAddress({ url, kind, name, through }: WindowAddress): string {
  return [url, ...(through === undefined ? [] : [through]), kind, name].join('/');
}

/** What a QR code holds. */
export function formatInvitation(address: WindowAddress, code: PairingCode): string {
  return `${formatWindowAddress(address)}#${formatPairingCode(code)}`;
}

/** Reads an address, with or without `mqtts://` before it and a code behind it. */
export function parseWindowAddress(typed: string): Read<WindowAddress & { readonly code?: PairingCode }> {
  const [place = '', typedCode] = typed.trim().split('#', 2);
  const match = /^(?:mqtts:\/\/)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})(?:\/([^/\s]+))?\/(client|box)\/([^/\s]+)$/.exec(place);
  if (typed.length > LIMITS.pairingTypedCharactersMax || !match)
    return unreadable(
      'an address is mqtts://host:port/box/NAME, mqtts://host:port/client/NAME, or through another broker mqtts://host:port/DEVICE/box/NAME, as npm run pair -- open shows it',
    );
  const [, host = '', port = '', through, word = '', name = ''] = match;
  const kind = word === 'box' ? 'box' : 'client';
  const objection = objectionToName(name);
  if (!URL.canParse(`mqtts://${host}`)) return unreadable(`"${host}" is neither a host name nor an address`);
  if (Number(port) < 1 || Number(port) > 65_535) return unreadable(`there is no port ${port}; ports are 1 to 65535`);
  if (objection !== undefined) return unreadable(`"${harmless(name, 64)}" can't be the name of a ${kind}: ${objection}`);
  const objectionToWay = through === undefined ? undefined : objectionToThrough(through, kind);
  if (objectionToWay !== undefined) return unreadable(objectionToWay);
  const address = { url: `mqtts://${host}:${Number(port)}`, kind, name, ...(through === undefined ? {} : { through }) } as const;
  if (typedCode === undefined) return { status: 'read', value: address };
  const code = parsePairingCode(typedCode);
  return code.status === 'unreadable' ? code : { status: 'read', value: { ...address, code: code.value } };
}

function objectionToThrough(device: string, kind: HolderKind): string | undefined {
  if (readPlain(Name, device).status === 'malformed') return `"${harmless(device, 64)}" can't be the name of a device: ${nameRule}`;
  return kind === 'client' ? 'through another broker only boxes are paired; a client needs an address of the device itself' : undefined;
}

/** Why a client or box can't have this name, in a sentence, or `undefined` when it can. */
export function objectionToName(name: string): string | undefined {
  const decoded = readPlain(Name, name);
  if (decoded.status === 'malformed') return nameRule;
  if (RESERVED_NAMES.includes(name)) return `the name "${name}" has a meaning of its own; ${RESERVED_NAMES.join(', ')} are reserved`;
  return undefined;
}

/** Σ cᵢ·α^(7-i) in GF(2⁵): multiplied by α after each digit, so that no two places weigh the same. */
function checkOf(code: PairingCode): number {
  return Array.from(code).reduce((sum, character) => timesAlpha(sum ^ ALPHABET.indexOf(character)), 0);
}

/** Modulo α⁵ + α² + 1, of which α is a primitive element. */
function timesAlpha(value: number): number {
  return value & 0x10 ? ((value << 1) ^ 0x25) & 0x1f : value << 1;
}

function unreadable(detail: string): { readonly status: 'unreadable'; readonly detail: string } {
  return { status: 'unreadable', detail };
}

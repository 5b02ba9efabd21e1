/** What a file seems to be that is not what was asked for: in the words of whoever gave it, not of a decoder. */
import { decodeStrict } from '#protocol/codec.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import { decodeNetwork } from '#protocol/network.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { AcceptanceMessage } from '#protocol/client-messages.ts';
import { peekSigned } from '#protocol/signed.ts';
import { TrustFile } from '#protocol/trust-file.ts';
import { bytesText } from '../terminal.ts';

/** Files that people give to commands, with what makes them. */
export const FILE_KINDS = {
  receipt: 'a receipt is the receipt.cbor that `npm run capsule -- result ID` saves',
  'network file': 'a network file is the network.cbor in the state folder of the grid, of a device, a box or a client',
  'member card': 'a member card is the card.cbor that `npx node device/main.ts card --state DIR` makes at the new device',
  'anchor file': 'an anchor file is the anchor.cbor that `npm run capsule -- verify --contract` saves beside a receipt',
  'trust file': 'a trust file is the one that `npm run trust -- export NODE` writes',
  'word on finality': 'it is the finality.cbor that `npm run capsule -- result ID` saves beside the receipt',
} as const;
export type FileKind = keyof typeof FILE_KINDS;

/** "x.cbor is not a receipt: it is empty; a receipt is …" */
export function notWhatWasAsked(path: string, kind: FileKind, content: Uint8Array): string {
  return `${path} is not a ${kind}: ${contentText(content)}; ${FILE_KINDS[kind]}`;
}

/** "it is a network file", "it was cut off", "it is HTML" */
export function contentText(content: Uint8Array): string {
  if (content.length === 0) return 'it is empty';
  const known = KNOWN.find(({ is }) => is(content));
  if (known) return `it is ${known.words}`;
  const begun = BEGINNINGS.find(({ first }) => first.every((byte, index) => content[index] === byte));
  if (begun && 'ours' in begun)
    return `it begins like ${begun.words}, and is damaged, cut off after ${bytesText(content.length)}, or of another version`;
  if (begun) return `it is ${begun.words}`;
  return textWords(content) ?? `it is ${bytesText(content.length)} of something else`;
}

const KNOWN: readonly { readonly words: string; readonly is: (content: Uint8Array) => boolean }[] = [
  { words: 'a receipt', is: (content) => peekSigned(ReceiptMessage, content).status === 'decoded' },
  { words: "a device's acceptance of a capsule", is: (content) => peekSigned(AcceptanceMessage, content).status === 'decoded' },
  { words: 'a network file', is: (content) => decodeNetwork(content).status === 'decoded' },
  { words: 'the manifest of a capsule', is: (content) => decodeManifest(content).status === 'decoded' },
  { words: 'a trust file', is: (content) => decodeStrict(TrustFile, content, LIMITS.trustFileBytesMax).status === 'decoded' },
  { words: 'a member card', is: (content) => decodeStrict(MemberCard, content, LIMITS.signedBytesMax).status === 'decoded' },
  {
    words: "a device's word on the finality of a receipt",
    is: (content) => decodeStrict(FinalityNews, content, LIMITS.packetBytesMax).status === 'decoded',
  },
];

/** The head of a map and its first key, as the strict form has them (§2.1). */
const BEGINNINGS = [
  { ours: true, words: 'a receipt or another signed message', first: beginning(2, 'body') },
  { ours: true, words: 'a network file', first: beginning(3, 'genesis') },
  { ours: true, words: 'a member card', first: beginning(4, 'member') },
  { words: 'an image', first: [0x89, 0x50, 0x4e, 0x47] },
  { words: 'a compressed file', first: [0x1f, 0x8b] },
  { words: 'a compressed file', first: [0x50, 0x4b, 0x03, 0x04] },
];

function beginning(fields: number, key: string): readonly number[] {
  return [0xa0 + fields, 0x60 + key.length, ...new TextEncoder().encode(key)];
}

function textWords(content: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content.subarray(0, textBytesMax));
  } catch {
    return undefined;
  }
  if (/\p{Cc}/u.test(text.replace(/\s/g, ''))) return undefined;
  const start = text.trimStart().slice(0, 64).toLowerCase();
  if (start.startsWith('<!doctype html') || start.startsWith('<html')) return 'it is a web page';
  if (start.startsWith('-----begin')) return 'it is a PEM file, such as a certificate or a key';
  return start.startsWith('{') || start.startsWith('[') ? 'it is JSON' : 'it is text';
}

/** A character that is cut in two at its end is not of interest: what is read is cut where ASCII files have none. */
const textBytesMax = 4_096;

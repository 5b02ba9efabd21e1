/**
 * Distinguished encoding rules, as far as certificates need them. ITU-T X.690.
 *
 * A reader that takes one element at a time; the caller descends, so the depth is fixed by the code that calls.
 */

/** Foreign bytes that are not what they should be; `certificate.ts` turns it into a verdict. */
export class MalformedDer extends Error {}

export interface DerElement {
  tag: number;
  contents: Uint8Array;
  /** Tag, length and contents: what a signature covers and what names are compared by. */
  encoded: Uint8Array;
}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Exactly one element with this tag and nothing behind it. */
export function derElement(bytes: Uint8Array, tag: number, what: string): DerElement {
  const element = readAt(bytes, 0);
  if (element.encoded.length !== bytes.length) throw new MalformedDer(`${what} has bytes behind it`);
  return expected(element, tag, what);
}

/** Elements of a constructed value, `countMax` at most. */
export function derElements(contents: Uint8Array, countMax: number, what: string): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < contents.length; at += elements.at(-1)?.encoded.length ?? 0) {
    if (elements.length === countMax) throw new MalformedDer(`${what} has more than ${countMax} elements`);
    elements.push(readAt(contents, at));
  }
  return elements;
}

/** The element, if there is one and it has this tag. */
export function expected(element: DerElement | undefined, tag: number, what: string): DerElement {
  if (element === undefined) throw new MalformedDer(`${what} is missing`);
  if (element.tag !== tag) throw new MalformedDer(`${what} has the tag 0x${element.tag.toString(16)}; 0x${tag.toString(16)} is expected`);
  return element;
}

/** Dotted decimal. */
export function derObjectIdentifier(element: DerElement | undefined, what: string): string {
  const { contents } = expected(element, derTag.objectIdentifier, what);
  const arcs = base128(contents, what);
  const first = Math.min(Math.trunc((arcs[0] ?? 0) / 40), 2);
  return [first, (arcs[0] ?? 0) - 40 * first, ...arcs.slice(1)].join('.');
}

/** Magnitude of a positive integer, without the sign byte; zero is no bytes. */
export function derUnsigned(element: DerElement | undefined, what: string): Uint8Array {
  const { contents } = expected(element, derTag.integer, what);
  const [first, second] = contents;
  if (first === undefined || first >= 0x80) throw new MalformedDer(`${what} is not a positive integer`);
  if (first === 0 && second !== undefined && second < 0x80) throw new MalformedDer(`${what} is not in its shortest form`);
  return first === 0 ? contents.subarray(1) : contents;
}

/** A positive integer below 2^32. */
export function derSmallUnsigned(element: DerElement | undefined, what: string): number {
  const magnitude = derUnsigned(element, what);
  if (magnitude.length > 4) throw new MalformedDer(`${what} is above 2^32`);
  return magnitude.reduce((value, byte) => value * 256 + byte, 0);
}

export function derBoolean(element: DerElement, what: string): boolean {
  const { contents } = expected(element, derTag.boolean, what);
  if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) throw new MalformedDer(`${what} is neither true nor false`);
  return contents[0] === 0xff;
}

/** Bytes of a bit string, with the number of unused bits at the end, which are zero. */
export function derBitString(element: DerElement | undefined, what: string): { bytes: Uint8Array; unusedBits: number } {
  const { contents } = expected(element, derTag.bitString, what);
  const [unusedBits, ...rest] = contents;
  if (unusedBits === undefined || unusedBits > 7 || (rest.length === 0 && unusedBits > 0))
    throw new MalformedDer(`${what} is not a bit string`);
  if (((rest.at(-1) ?? 0) & ((1 << unusedBits) - 1)) !== 0) throw new MalformedDer(`${what} has unused bits that are set`);
  return { bytes: contents.subarray(1), unusedBits };
}

/** A whole number of bytes. */
export function derBytes(element: DerElement | undefined, what: string): Uint8Array {
  const { bytes, unusedBits } = derBitString(element, what);
  if (unusedBits !== 0) throw new MalformedDer(`${what} is not a whole number of bytes`);
  return bytes;
}

/** ms since 1970. UTCTime covers 1950 to 2049 (RFC 5280 section 4.1.2.5). */
export function derTime(element: DerElement | undefined, what: string): number {
  if (element?.tag !== derTag.utcTime) expected(element, derTag.generalizedTime, what);
  const text = String.fromCharCode(...(element?.contents ?? []));
  const digits = /^(\d{4}|\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (digits === null || text.length !== (element?.tag === derTag.utcTime ? 13 : 15)) throw new MalformedDer(`${what} is not a time`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = digits.slice(1).map(Number);
  const fullYear = text.length === 15 ? year : year + (year < 50 ? 2000 : 1900);
  return calendarTime(fullYear, month, day, hour, minute, second, what);
}

function calendarTime(year: number, month: number, day: number, hour: number, minute: number, second: number, what: string): number {
  const days =
    [31, (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  if (year < 1950 || day < 1 || day > days || hour > 23 || minute > 59 || second > 59) throw new MalformedDer(`${what} is not a time`);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** Single-byte tags, definite lengths in their shortest form (X.690 section 10.1), up to 65,535 bytes. */
function readAt(bytes: Uint8Array, at: number): DerElement {
  const [tag, first, second, third] = bytes.subarray(at, at + 4);
  if (tag === undefined || first === undefined) throw new MalformedDer('an element is cut off');
  if ((tag & 0x1f) === 0x1f) throw new MalformedDer('a tag of several bytes');
  const { length, header } = lengthOf(first, second, third);
  const end = at + header + length;
  if (end > bytes.length) throw new MalformedDer('an element is longer than what holds it');
  return { tag, contents: bytes.subarray(at + header, end), encoded: bytes.subarray(at, end) };
}

function lengthOf(first: number, second: number | undefined, third: number | undefined): { length: number; header: number } {
  if (first < 0x80) return { length: first, header: 2 };
  if (first === 0x81 && second !== undefined && second >= 0x80) return { length: second, header: 3 };
  if (first === 0x82 && second !== undefined && second > 0 && third !== undefined) return { length: second * 256 + third, header: 4 };
  throw new MalformedDer('a length that is indefinite, too long, or not in its shortest form');
}

function base128(contents: Uint8Array, what: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let starting = true;
  for (const byte of contents) {
    if ((starting && byte === 0x80) || value > 0xffffffff) throw new MalformedDer(`${what} is not an object identifier`);
    value = value * 128 + (byte & 0x7f);
    starting = byte < 0x80;
    if (starting) numbers.push(value);
    if (starting) value = 0;
  }
  if (!starting || numbers.length === 0) throw new MalformedDer(`${what} is not an object identifier`);
  return numbers;
}

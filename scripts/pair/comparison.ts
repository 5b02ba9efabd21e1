/** What both ends of a pairing show, in the same words, so that people can compare. Specification §5.6. */
import type { Terminal } from '../terminal.ts';

/** SHA-256 fingerprints and the digits of the transcript. */
export interface Comparison {
  readonly device: string;
  readonly kind: string;
  readonly name: string;
  readonly authority: Uint8Array;
  readonly certificate: Uint8Array;
  readonly digits: string;
}

export function showComparison(terminal: Terminal, { device, kind, name, authority, certificate, digits }: Comparison): void {
  terminal.line(`  authority of ${device}`);
  terminal.line(`    ${fingerprintText(authority)}`);
  terminal.line(`  certificate of the ${kind} ${name}`);
  terminal.line(`    ${fingerprintText(certificate)}`);
  terminal.line(`  digits  ${terminal.paint('strong', digits)}   must be the same at the other end`);
}

/** Groups of four digits, as people compare them. */
export function fingerprintText(fingerprint: Uint8Array): string {
  return (fingerprint.toHex().match(/.{4}/g) ?? []).join(' ');
}

/** The first 16 digits: enough to find a line in a list, not to compare. */
export function shortFingerprint(fingerprint: Uint8Array): string {
  return (fingerprint.toHex().slice(0, 16).match(/.{4}/g) ?? []).join(' ');
}

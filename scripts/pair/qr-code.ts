/** A QR code (ISO/IEC 18004) in a terminal, two modules a character. Owner of the `uqr` package. */
import { renderUnicodeCompact } from 'uqr';

/** Lines to be painted light on dark: what is drawn is the paper, with the four modules of it around that readers look for. */
export function qrCodeLines(content: string): string[] {
  return renderUnicodeCompact(content, { ecc: 'L', border: 4 }).split('\n');
}

/** A QR code (ISO/IEC 18004) in a terminal, two modules a character. Owner of the `uqr` package. */
import { renderUnicodeCompact } from 'uqr';

/** Lines for a dark or light terminal alike: inverted, since terminals are dark more often than paper. */
export function qrCodeText(content: string): string {
  return renderUnicodeCompact(content, { ecc: 'L', border: 2, invert: true });
}

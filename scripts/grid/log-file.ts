/** The log of a program that is kept running. What can't be written, on a full disk, is lost and counted: it ends nothing. */
import { appendFileSync } from 'node:fs';

/** @returns adds text to the log; at the next time that it can, it says how much was lost before */
export function logFile(file: string): (text: string) => void {
  let lostBytes = 0;
  let why = '';
  return (text) => {
    const lost = lostBytes === 0 ? '' : `\n(up to ${lostBytes} bytes of this log could not be written: ${why})\n`;
    try {
      appendFileSync(file, `${lost}${text}`, { mode: 0o600 });
      lostBytes = 0;
    } catch (error) {
      lostBytes += Buffer.byteLength(text);
      why = error instanceof Error ? error.message : String(error);
    }
  };
}

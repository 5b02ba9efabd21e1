/** `npm run tpm -- extend`: changes a register by hand, as other firmware would have: to see what a network makes of it. TPM 2.0 Part 3 §22.3. */
import { describeTpm } from '../../device/tpm/capability.ts';
import { pcrEvent, pcrRead } from '../../device/tpm/pcr.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { connectionOptions, withTpm } from './connection.ts';
import { report, type Rows } from './report.ts';

/** TPM2_PCR_Event takes so many bytes. */
const EVENT_BYTES_MAX = 1_024;

export const extend = commandOf(
  {
    name: 'extend',
    summary: 'Extends a register, which nothing but a reset of the TPM undoes: the device is no more what it says.',
    operands: [],
    options: {
      ...connectionOptions,
      pcr: { value: 'INDEX', help: 'the register: 14 (firmware, default) or 8 (operational key), or another' },
      event: { value: 'TEXT', help: 'what is measured into it, at most 1,024 bytes (default: changed by hand)' },
    },
  },
  ({ options }) =>
    withTpm(options, async (tpm, owner) => {
      const index = indexOf(options.pcr ?? '14');
      const event = eventOf(options.event ?? 'changed by hand');
      const before = await pcrRead(tpm, 'sha256', [index]);
      await pcrEvent(tpm, index, event);
      const after = await pcrRead(tpm, 'sha256', [index]);
      const rows: Rows = [
        ['register', `sha256 ${index}`],
        ['before', before.get(index)?.toHex() ?? 'none'],
        ['after', after.get(index)?.toHex() ?? 'none'],
      ];
      report({ ...(await describeTpm(tpm)), owner }, options.json, rows, {
        register: index,
        before: before.get(index),
        after: after.get(index),
      });
      return 0;
    }),
);

function indexOf(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) <= 23) return Number(text);
  throw new UsageError(`"${text}" names no register; --pcr takes 0 to 23`);
}

function eventOf(text: string): Uint8Array {
  const event = new TextEncoder().encode(text);
  if (event.length >= 1 && event.length <= EVENT_BYTES_MAX) return event;
  throw new UsageError(`--event has ${event.length} bytes; 1 to ${EVENT_BYTES_MAX} are measured`);
}

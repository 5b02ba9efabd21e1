/** TPMS_CLOCK_INFO and TPMS_TIME_INFO. TPM 2.0 Part 2 sections 10.11.1 and 10.11.6. */
import { LIMITS } from '../limits.ts';
import { struct, structure, u32, u64, yesNo, type ValueOf } from './wire.ts';

/** `clock` in ms, kept over resets and settable forward by the owner; `safe`: no value above this was ever reported. */
export const clockInfoField = struct({ clock: u64, resetCount: u32, restartCount: u32, safe: yesNo });
export type ClockInfo = ValueOf<typeof clockInfoField>;

/** `time` in ms since the TPM got power; not settable. */
export const timeInfoField = struct({ time: u64, clockInfo: clockInfoField });
export type TimeInfo = ValueOf<typeof timeInfoField>;
export const TimeInfo = structure('TPMS_TIME_INFO', LIMITS.tpmStructureBytesMax, timeInfoField);

/** What boot events are called, for people. Pure. Specification §6.5; TCG PC Client Platform Firmware Profile 1.05 §10.4.1 and §10.2.6. */
import { LIMITS } from '../limits.ts';
import { harmless } from '../schema.ts';

export const NO_ACTION = 'EV_NO_ACTION';

const types: ReadonlyMap<number, string> = new Map([
  [0x0000_0000, 'EV_PREBOOT_CERT'],
  [0x0000_0001, 'EV_POST_CODE'],
  [0x0000_0003, NO_ACTION],
  [0x0000_0004, 'EV_SEPARATOR'],
  [0x0000_0005, 'EV_ACTION'],
  [0x0000_0006, 'EV_EVENT_TAG'],
  [0x0000_0007, 'EV_S_CRTM_CONTENTS'],
  [0x0000_0008, 'EV_S_CRTM_VERSION'],
  [0x0000_0009, 'EV_CPU_MICROCODE'],
  [0x0000_000a, 'EV_PLATFORM_CONFIG_FLAGS'],
  [0x0000_000b, 'EV_TABLE_OF_DEVICES'],
  [0x0000_000c, 'EV_COMPACT_HASH'],
  [0x0000_000d, 'EV_IPL'],
  [0x0000_000e, 'EV_IPL_PARTITION_DATA'],
  [0x0000_000f, 'EV_NONHOST_CODE'],
  [0x0000_0010, 'EV_NONHOST_CONFIG'],
  [0x0000_0011, 'EV_NONHOST_INFO'],
  [0x0000_0012, 'EV_OMIT_BOOT_DEVICE_EVENTS'],
  [0x8000_0001, 'EV_EFI_VARIABLE_DRIVER_CONFIG'],
  [0x8000_0002, 'EV_EFI_VARIABLE_BOOT'],
  [0x8000_0003, 'EV_EFI_BOOT_SERVICES_APPLICATION'],
  [0x8000_0004, 'EV_EFI_BOOT_SERVICES_DRIVER'],
  [0x8000_0005, 'EV_EFI_RUNTIME_SERVICES_DRIVER'],
  [0x8000_0006, 'EV_EFI_GPT_EVENT'],
  [0x8000_0007, 'EV_EFI_ACTION'],
  [0x8000_0008, 'EV_EFI_PLATFORM_FIRMWARE_BLOB'],
  [0x8000_0009, 'EV_EFI_HANDOFF_TABLES'],
  [0x8000_000a, 'EV_EFI_PLATFORM_FIRMWARE_BLOB2'],
  [0x8000_000b, 'EV_EFI_HANDOFF_TABLES2'],
  [0x8000_000c, 'EV_EFI_VARIABLE_BOOT2'],
  [0x8000_000d, 'EV_EFI_GPT_EVENT2'],
  [0x8000_0010, 'EV_EFI_HCRTM_EVENT'],
  [0x8000_00e0, 'EV_EFI_VARIABLE_AUTHORITY'],
  [0x8000_00e1, 'EV_EFI_SPDM_FIRMWARE_BLOB'],
  [0x8000_00e2, 'EV_EFI_SPDM_FIRMWARE_CONFIG'],
]);

/** Events whose data are text, or begin with a short head before it. */
const textAfter: ReadonlyMap<string, number> = new Map([
  ['EV_POST_CODE', 0],
  ['EV_ACTION', 0],
  ['EV_EVENT_TAG', 8],
  ['EV_S_CRTM_VERSION', 0],
  ['EV_IPL', 0],
  ['EV_EFI_ACTION', 0],
]);

export function eventType(type: number): string {
  return types.get(type) ?? `0x${type.toString(16)}`;
}

/** Words that the event's data have for it, one line; empty where there are none. */
export function eventName(type: string, data: Uint8Array): string {
  if (type.startsWith('EV_EFI_VARIABLE')) return variableName(data);
  const start = textAfter.get(type);
  return start === undefined ? '' : printable(data.subarray(start));
}

/** UEFI_VARIABLE_DATA: a GUID, two 64-bit lengths, the name in UTF-16. */
function variableName(data: Uint8Array): string {
  if (data.length < 32) return '';
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const units = view.getUint32(16, true);
  return units * 2 > data.length - 32 || view.getUint32(20, true) !== 0 ? '' : printable(data.subarray(32, 32 + 2 * units));
}

/** ASCII, or UTF-16 of it: zeros are left out. */
function printable(data: Uint8Array): string {
  const shown: number[] = [];
  for (const byte of data) {
    if (byte !== 0) shown.push(byte >= 0x20 && byte < 0x7f ? byte : 0x2e);
    if (shown.length >= LIMITS.eventNameCharactersMax) break;
  }
  return harmless(String.fromCharCode(...shown), LIMITS.eventNameCharactersMax);
}

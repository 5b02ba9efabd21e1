/** Logs of machines that never were, in the forms of their kernel and firmware: what benchmarks judge. Specification §6.5. */
import { createHash } from 'node:crypto';

/** IMA's entry of a library. */
export function fileOf(index: number): Buffer {
  return entryOf(`/usr/lib/x86_64-linux-gnu/some/library-${index}.so.1`, sha256Of(Buffer.from(String(index))));
}

/** `ima-sig` without a signature, as kernels of Debian write it. */
export function entryOf(path: string, digest: Uint8Array): Buffer {
  const fields = [Buffer.concat([Buffer.from('sha256:\0'), digest]), Buffer.from(`${path}\0`), Buffer.alloc(0)];
  const data = Buffer.concat(fields.flatMap((field) => [u32(field.length), field]));
  return Buffer.concat([u32(10), Buffer.alloc(20, 1), u32(7), Buffer.from('ima-sig'), u32(data.length), data]);
}

/** A boot of `count` events: the separators, and what GRUB has done. */
export function bootLogOf(count: number): Buffer {
  const words = Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    u32(0),
    Buffer.from([0, 2, 0, 2]),
    u32(1),
    u16(11),
    u16(32),
    Buffer.from([0]),
  ]);
  const first = Buffer.concat([u32(0), u32(3), Buffer.alloc(20), u32(words.length), words]);
  const separators = Array.from({ length: 8 }, (_, pcr) => eventOf(pcr, 4, Buffer.alloc(4)));
  const commands = Array.from({ length: count - 8 }, (_, index) =>
    eventOf(8, 13, Buffer.from(`grub_cmd: menuentry number ${index} of a long menu\0`)),
  );
  return Buffer.concat([first, ...separators, ...commands]);
}

function eventOf(pcr: number, type: number, data: Buffer): Buffer {
  return Buffer.concat([u32(pcr), u32(type), u32(1), u16(11), sha256Of(data), u32(data.length), data]);
}

export function sha256Of(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest());
}

function u16(value: number): Buffer {
  const encoded = Buffer.alloc(2);
  encoded.writeUInt16LE(value);
  return encoded;
}

function u32(value: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeUInt32LE(value);
  return encoded;
}

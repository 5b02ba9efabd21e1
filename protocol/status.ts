/** A device's birth and last will, retained on its status topic. Specification §5.5. In bulk form. */
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { bytes, integer, optional, struct, text, variant, type Infer } from './schema.ts';
import { Name } from './topics.ts';

export const DeviceStatus = variant('status', {
  online: struct({
    device: Name,
    node: Digest,
    /** Of the firmware. */
    version: text({ max: 40 }),
    sinceMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    /** Absent until another member's beacon has come. Clients learn from it whose signature to expect. */
    evidence: optional(bytes({ max: LIMITS.evidenceBytesMax })),
  }),
  offline: struct({ device: Name }),
});
export type DeviceStatus = Infer<typeof DeviceStatus>;

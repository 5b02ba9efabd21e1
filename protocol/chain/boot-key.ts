/** An operational key, and the boot of the chip that has it. Specification §11.4. */
import { fixedBytes, integer, struct, type Infer } from '../schema.ts';

const Count = integer({ min: 0, max: 0xffff_ffff });

export const BootKey = struct({ key: fixedBytes(32), resetCount: Count, restartCount: Count });
export type BootKey = Infer<typeof BootKey>;

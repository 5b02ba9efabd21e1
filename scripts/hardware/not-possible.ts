/**
 * A machine that can't have the hardware bench, and why: another processor, another system than Debian, no source to build the kernel from,
 * no tracing of programs. Nothing else lets `--where-possible` pass.
 */
export class NotPossible extends Error {}

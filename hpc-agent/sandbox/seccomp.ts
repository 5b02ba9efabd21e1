/**
 * The filter on system calls that a capsule runs under, as classic BPF (Linux Documentation/userspace-api/seccomp_filter;
 * struct sock_filter of linux/filter.h): what is refused returns EPERM, a foreign instruction set kills the process.
 */
import { newestCall, processors } from './syscalls.ts';

/** Bytes of the filter for a processor as `process.arch` names it; undefined for one we have no table for. */
export function seccompFilter(architecture: string): Uint8Array | undefined {
  const processor = processors[architecture];
  if (processor === undefined) return undefined;
  const program = [
    load(offsetArchitecture),
    jumpEqual(processor.audit, 1, 0),
    answer(killProcess),
    load(offsetNumber),
    ...(processor.foreignBit === 0 ? [] : [jumpAtLeast(processor.foreignBit, 0, 1), answer(killProcess)]),
    jumpEqual(processor.clone3, 0, 1),
    answer(errno(ENOSYS)),
    jumpAtLeast(newestCall + 1, 0, 1),
    answer(errno(ENOSYS)),
    ...processor.refused.flatMap((number) => [jumpEqual(number, 0, 1), answer(errno(EPERM))]),
    ...refuseNamespaces(processor.clone),
    ...refuseSocketFamilies(processor.socket),
    ...refuseTerminalInjection(processor.ioctl),
    answer(allow),
  ];
  return encode(program);
}

interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly operand: number;
}

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** SECCOMP_RET_… of linux/seccomp.h. */
const killProcess = 0x80000000;
const allow = 0x7fff0000;
const errno = (number: number) => 0x00050000 | number;

/** struct seccomp_data: nr, arch, instruction_pointer, args[6] of 64 bits, little-endian on both processors. */
const offsetNumber = 0;
const offsetArchitecture = 4;
const offsetArgument = (index: number) => 16 + 8 * index;

const load = (offset: number): Instruction => ({ code: 0x20, ifTrue: 0, ifFalse: 0, operand: offset });
const answer = (value: number): Instruction => ({ code: 0x06, ifTrue: 0, ifFalse: 0, operand: value });
const jumpEqual = (operand: number, ifTrue: number, ifFalse: number): Instruction => ({ code: 0x15, ifTrue, ifFalse, operand });
const jumpAtLeast = (operand: number, ifTrue: number, ifFalse: number): Instruction => ({ code: 0x35, ifTrue, ifFalse, operand });
const jumpAnyBit = (operand: number, ifTrue: number, ifFalse: number): Instruction => ({ code: 0x45, ifTrue, ifFalse, operand });

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of linux/sched.h. */
const cloneNamespaces = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

function refuseNamespaces(clone: number): Instruction[] {
  return [jumpEqual(clone, 0, 4), load(offsetArgument(0)), jumpAnyBit(cloneNamespaces, 0, 1), answer(errno(EPERM)), answer(allow)];
}

/**
 * Only local, internet and routing sockets: a network namespace doesn't hold AF_VSOCK, which reaches the hypervisor,
 * and AF_ALG and the rarer families are kernel code that no capsule needs.
 */
function refuseSocketFamilies(socket: number): Instruction[] {
  const families = [1, 2, 10, 16];
  return [
    jumpEqual(socket, 0, families.length + 3),
    load(offsetArgument(0)),
    ...families.map((family, index) => jumpEqual(family, families.length - index, 0)),
    answer(errno(EAFNOSUPPORT)),
    answer(allow),
  ];
}

/** TIOCSTI and TIOCLINUX put bytes into a terminal's input. */
function refuseTerminalInjection(ioctl: number): Instruction[] {
  return [
    jumpEqual(ioctl, 0, 5),
    load(offsetArgument(1)),
    jumpEqual(0x5412, 1, 0),
    jumpEqual(0x541c, 0, 1),
    answer(errno(EPERM)),
    answer(allow),
  ];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, ifTrue, ifFalse, operand }, index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, ifTrue);
    view.setUint8(index * 8 + 3, ifFalse);
    view.setUint32(index * 8 + 4, operand >>> 0, true);
  });
  return bytes;
}

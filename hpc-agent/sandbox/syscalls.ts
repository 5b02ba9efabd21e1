/**
 * Numbers of the system calls that a capsule is refused, for the two processors we support.
 * Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.15.
 */

/** [x86_64, aarch64]; 0 where the processor has no such call (0 is `read` or `io_setup`, never refused). */
const refusedNumbers = {
  // another process's memory and state
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  // mounts, roots and namespaces
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  unshare: [272, 97],
  setns: [308, 268],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  // large kernel interfaces with a history of holes
  bpf: [321, 280],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  userfaultfd: [323, 282],
  perf_event_open: [298, 241],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  memfd_secret: [447, 447],
  vmsplice: [278, 75],
  lookup_dcookie: [212, 18],
  uselib: [134, 0],
  modify_ldt: [154, 0],
  // the machine itself
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  syslog: [103, 116],
  iopl: [172, 0],
  ioperm: [173, 0],
  vhangup: [153, 58],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  nfsservctl: [180, 42],
  ustat: [136, 0],
  sysfs: [139, 0],
  _sysctl: [156, 0],
} as const;

export interface Processor {
  /** AUDIT_ARCH_… of linux/audit.h. */
  readonly audit: number;
  readonly refused: readonly number[];
  readonly clone: number;
  readonly clone3: number;
  readonly socket: number;
  readonly ioctl: number;
  /** Bit of the x32 numbers, which would get round a table of x86_64 numbers; 0 where there is none. */
  readonly foreignBit: number;
}

/** The highest number that was weighed for the table above; what came later is answered "no such call". */
export const newestCall = 467;

function refusedFor(column: 0 | 1): number[] {
  return Object.values(refusedNumbers)
    .map((pair) => pair[column])
    .filter((number) => number !== 0);
}

export const processors: Readonly<Record<string, Processor>> = {
  x64: { audit: 0xc000003e, refused: refusedFor(0), clone: 56, clone3: 435, socket: 41, ioctl: 16, foreignBit: 0x40000000 },
  arm64: { audit: 0xc00000b7, refused: refusedFor(1), clone: 220, clone3: 435, socket: 198, ioctl: 29, foreignBit: 0 },
};

/** The tables of the house rules: which folder may import which, what is pure, who owns what. design: "The house". */

/** Rooms in which the same input gives the same output on every machine and in a browser. A trailing * is a prefix. */
export const pureRooms: readonly string[] = ['protocol/*', 'device/hpc/job.ts', 'device/hpc/job-*'];

/** What each top folder may import besides itself; 'node:' stands for every module of Node. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  device: ['protocol', 'node:'],
  'hpc-agent': ['protocol', 'node:'],
  contracts: ['protocol', 'node:'],
  scripts: ['protocol', 'contracts', 'device', 'hpc-agent', 'board-configs', 'node:'],
  test: ['protocol', 'contracts', 'device', 'hpc-agent', 'scripts', 'board-configs', 'node:'],
};

/** Top folders that others reach by their `#name/`, never by a relative path. */
export const namedFolders: readonly string[] = ['protocol', 'contracts'];

/** The files that may import a package (tests may import any: they check with other means). A trailing * is a prefix. */
export const packageOwners: Readonly<Record<string, readonly string[]>> = {
  '@noble/curves': ['protocol/*'],
  '@noble/hashes': ['protocol/*'],
  cborg: ['protocol/codec.ts'],
  'cbor-x': ['protocol/codec.ts'],
  'micro-packed': ['protocol/tpm/wire.ts'],
};

/** The files that may name an outside program: whoever starts it. Set-up, which installs them, and tests are free. */
export const programOwners: Readonly<Record<string, readonly string[]>> = {
  swtpm: [],
  swtpm_setup: [],
  swtpm_localca: [],
  mosquitto: [],
  mosquitto_pub: [],
  mosquitto_sub: [],
  bwrap: [],
  setpriv: [],
  openssl: [],
  python3: [],
  'apt-get': [],
  'g++': [],
};

/** Globals that read a clock, draw randomness, do input or output, or exist in Node only. */
export const impureGlobals: ReadonlySet<string> = new Set([
  ...['Buffer', 'Date', 'Intl', 'Promise', 'Temporal', 'WebAssembly', 'Worker', 'XMLHttpRequest', 'console', 'crypto'],
  ...['document', 'fetch', 'global', 'globalThis', 'localStorage', 'navigator', 'performance', 'process', 'queueMicrotask'],
  ...['require', 'setImmediate', 'setInterval', 'setTimeout', 'window', 'WebSocket'],
]);

/** The functions of Math that every engine computes alike: the others may differ in the last bit, or draw. */
export const agreedMath: ReadonlySet<string> = new Set([
  ...['abs', 'ceil', 'clz32', 'floor', 'imul', 'max', 'min', 'round', 'sign', 'sqrt', 'trunc'],
]);

/** Methods whose answer depends on the language or time zone of the machine. */
export const localMethods: ReadonlySet<string> = new Set(['localeCompare', 'toLocaleString', 'toLocaleLowerCase', 'toLocaleUpperCase']);

export const codeLinesMax = 400; // more than a person reads at one sitting
export const fileBytesMax = 1024 * 1024; // what a clone carries for ever

/** Longer files, each with the reason. */
export const longFiles: Readonly<Record<string, string>> = {};

/** Whether a path is one of `patterns`; a trailing * stands for anything. */
export function matches(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern));
}

export function isPure(path: string): boolean {
  return matches(path, pureRooms);
}

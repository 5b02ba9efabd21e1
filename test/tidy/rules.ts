/** The tables of the house rules: which folder may import which, what is pure, who owns what. ARCHITECTURE.md shows the house. */

/**
 * Rooms in which the same input gives the same output on every machine and in a browser. A trailing * is a prefix. A
 * file whose first comment says that it is pure is held to it too.
 */
export const pureRooms: readonly string[] = [
  ...[
    'protocol/*',
    'device/limits.ts',
    'device/votes/*',
    'device/ledger/*',
    'device/consensus/*',
    'device/trust/*',
    'hpc-agent/limits.ts',
    'hpc-agent/run.ts',
  ],
  ...[
    'device/hpc/job.ts',
    'device/hpc/assignments.ts',
    'device/hpc/offers.ts',
    'device/hpc/box-registry.ts',
    'device/hpc/box-voice.ts',
    'device/hpc/receipt-issuer.ts',
    'device/hpc/box-standing.ts',
    'device/hpc/check-moments.ts',
    'device/gateway/submission.ts',
    'device/gateway/order.ts',
    'device/gateway/order-on-chain.ts',
    'device/gateway/order-receipt.ts',
    'device/store/run-blobs.ts',
    'device/peer-allowance.ts',
  ],
];

/** Ports that hosts share: declarations only, in which a promise may be named because nothing here makes one. */
export const portFiles: readonly string[] = ['protocol/mqtt-port.ts'];

/** What each top folder may import besides itself; 'node:' stands for every module of Node. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  device: ['protocol', 'contracts', 'node:'],
  'hpc-agent': ['protocol', 'node:'],
  contracts: ['protocol', 'node:'],
  scripts: ['protocol', 'contracts', 'device', 'hpc-agent', 'board-configs', 'node:'],
  test: ['protocol', 'contracts', 'device', 'hpc-agent', 'scripts', 'board-configs', 'node:'],
};

/** What a room of a top folder may import of that folder besides itself and the limits; a room that is not named may import any. */
export const roomArrows: Readonly<Record<string, readonly string[]>> = {
  'device/votes': [],
  'device/ledger': [],
  'device/consensus': ['device/ledger', 'device/votes'],
  'device/trust': ['device/ledger', 'device/votes'], // evidence is judged beside consensus, and knows nothing of it
  'device/board': ['device'], // addon, yaml and the clock's port; nothing of those who hold boxes by it
  'device/board/simulated': ['device/board'],
  'device/bmc': ['device', 'device/board'], // the port of whatever holds a box
  'device/anchors': ['device', 'device/chain', 'device/layer1', 'device/store'], // checkpoints by their port, chains and senders, its memory
  'device/layer1': ['device', 'device/identity', 'device/store', 'device/tpm'], // its key in the chip, its memory
  'device/control': ['device', 'device/board', 'device/store', 'device/mqtt'], // that port, its memory, whole files; jobs by a port of its own
};

/** Who only verifies, and is small because of it. */
export const verifying: readonly string[] = ['protocol/*', 'hpc-agent/*', 'scripts/client/*', 'scripts/capsule/verif*'];

/** What is large, and for those who sign and send. */
export const sending: readonly string[] = ['contracts/evm.ts'];

/** Top folders that others reach by their `#name/`, never by a relative path. */
export const namedFolders: readonly string[] = ['protocol', 'contracts'];

/** The files that may import a package (tests may import any: they check with other means). A trailing * is a prefix. */
export const packageOwners: Readonly<Record<string, readonly string[]>> = {
  '@noble/curves': ['protocol/*'],
  '@noble/hashes': ['protocol/*'],
  cborg: ['protocol/codec.ts'],
  'cbor-x': ['protocol/codec.ts'],
  'micro-packed': ['protocol/tpm/wire.ts'],
  '@peculiar/asn1-schema': ['device/mqtt/certificate.ts'],
  '@peculiar/asn1-x509': ['device/mqtt/certificate.ts'],
  ethers: ['contracts/evm.ts'],
  mqtt: ['device/mqtt/connection.ts', 'hpc-agent/mqtt.ts'], // two programs that may not hold each other's code
  uqr: ['scripts/pair/qr-code.ts'],
  yaml: ['device/yaml.ts'],
  'johnny-five': ['device/board/johnny-five.ts', 'device/board/johnny-five-package.d.ts'],
  esbuild: ['scripts/bundle.ts'],
  'node:sqlite': ['device/store/database.ts'],
};

/** The files that may name an outside program: whoever starts it. Set-up, which installs them, and tests are free. */
export const programOwners: Readonly<Record<string, readonly string[]>> = {
  bash: ['device/own-descriptors.ts', 'hpc-agent/runtimes.ts', 'scripts/hardware/kernel.ts'],
  swtpm: ['device/tpm/swtpm.ts'],
  swtpm_setup: ['device/tpm/swtpm.ts'],
  swtpm_localca: ['device/tpm/swtpm.ts'],
  ...Object.fromEntries(
    [
      'tpm2_activatecredential',
      'tpm2_create',
      'tpm2_createek',
      'tpm2_flushcontext',
      'tpm2_load',
      'tpm2_nvread',
      'tpm2_policysecret',
      'tpm2_quote',
    ]
      .concat('tpm2_startauthsession')
      .map((program) => [program, ['hpc-agent/tpm/tools.ts', 'hpc-agent/tpm/box-tpm.ts']]), // who starts them, and whose arguments name them
  ),
  mosquitto: ['device/mqtt/broker.ts'],
  mosquitto_pub: ['scripts/pair/paste-lines.ts'],
  mosquitto_sub: ['scripts/pair/paste-lines.ts'],
  bwrap: ['hpc-agent/sandbox/bubblewrap.ts'],
  mkfifo: ['hpc-agent/sandbox/bubblewrap.ts', 'hpc-agent/sandbox/channels.ts'],
  python3: ['hpc-agent/runtimes.ts'],
  prlimit: ['hpc-agent/sandbox/bubblewrap.ts', 'device/mqtt/broker.ts'],
  setpriv: [
    'device/tpm/swtpm.ts',
    'device/mqtt/broker.ts',
    'scripts/grid/supervisor.ts',
    'scripts/rack/box-system.ts',
    'scripts/hardware/guest.ts',
  ], // each is part of starting the program that it drops rights for
  forge: ['scripts/contracts/forge.ts'],
  anvil: ['scripts/layer1/anvil.ts'],
  openssl: ['scripts/bench/openssl.ts'],
  etcd: ['scripts/bench/etcd.ts'],
  ipmitool: ['device/bmc/ipmitool.ts'],
  'apt-get': ['scripts/hardware/kernel.ts'], // the source of a kernel; what the machine lacks, set-up installs
  make: ['scripts/hardware/kernel.ts'],
  'dpkg-deb': ['scripts/hardware/kernel.ts'],
  'g++': [],
};

/** Globals that compute alike but that a browser lacks: the pure rooms do without, a pure file beside them need not. */
export const nodeOnlyGlobals: ReadonlySet<string> = new Set(['Buffer']);

/** Globals that read a clock, draw randomness, or do input or output. */
export const impureGlobals: ReadonlySet<string> = new Set([
  ...['Date', 'Intl', 'Promise', 'Temporal', 'WebAssembly', 'Worker', 'XMLHttpRequest', 'console', 'crypto'],
  ...['document', 'fetch', 'global', 'globalThis', 'localStorage', 'navigator', 'performance', 'process', 'queueMicrotask'],
  ...['require', 'setImmediate', 'setInterval', 'setTimeout', 'window', 'WebSocket'],
]);

/** The functions of Math that every engine computes alike: the others may differ in the last bit, or draw. */
export const agreedMath: ReadonlySet<string> = new Set([
  ...['abs', 'ceil', 'clz32', 'floor', 'imul', 'max', 'min', 'round', 'sign', 'sqrt', 'trunc'],
]);

/** Methods whose answer depends on the language or time zone of the machine. */
export const localMethods: ReadonlySet<string> = new Set([
  ...['localeCompare', 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString', 'toLocaleLowerCase', 'toLocaleUpperCase'],
  ...['getFullYear', 'getMonth', 'getDate', 'getDay', 'getHours', 'getMinutes', 'getTimezoneOffset'],
]);

export const codeLinesMax = 400; // more than a person reads at one sitting
export const fileBytesMax = 1024 * 1024; // what a clone carries for ever

/** Longer files, each with the reason. */
export const longFiles: Readonly<Record<string, string>> = {
  'scripts/sample/path-tracer.js': 'the program of a capsule is one file that imports nothing but Node',
};

/** Whether a path is one of `patterns`; a trailing * stands for anything. */
export function matches(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern));
}

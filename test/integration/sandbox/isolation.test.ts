/** What a capsule cannot reach: the attacks of a hostile capsule, carried out in the real sandbox. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openSandboxBench, type SandboxBench } from './sandbox-bench.ts';

/** Tries each attack and prints what came of it, one line each. */
const attempts = (lines: Readonly<Record<string, string>>) => `
import ctypes, os, socket, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    answer = libc.syscall(*[ctypes.c_long(argument) for argument in arguments])
    return errno.errorcode[ctypes.get_errno()] if answer == -1 else "allowed"
def attempt(name, action):
    try: print(name, action(), flush=True)
    except OSError as problem: print(name, errno.errorcode[problem.errno], flush=True)
${Object.entries(lines)
  .map(([name, action]) => `attempt(${JSON.stringify(name)}, lambda: ${action})`)
  .join('\n')}
`;

function table(stdout: string): Record<string, string> {
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ (.*)/s).slice(0, 2) as [string, string]),
  );
}

describe('what a capsule cannot reach', () => {
  let bench: SandboxBench;
  before(async () => {
    bench = await openSandboxBench();
  });
  after(() => bench.close());

  test("the host's files are not there", async () => {
    const secret = path.join(bench.folder, 'secret');
    writeFileSync(secret, 'of the host', { mode: 0o644 });
    chmodSync(bench.folder, 0o755);
    const places = [
      '/etc/shadow',
      secret,
      process.cwd(),
      '/root',
      '/home',
      '/var',
      '/sys',
      '/run',
      '/boot',
      '/proc/1/root/etc/shadow',
      '/proc/kcore',
      '/dev/mem',
      '/dev/vda',
      '/dev/kvm',
    ];
    const ran = await bench.run({
      code: attempts(
        Object.fromEntries(
          places.map((place) => [place, `os.stat(${JSON.stringify(place)}).st_size and open(${JSON.stringify(place)}).read(9)`]),
        ),
      ),
    });
    chmodSync(bench.folder, 0o700);
    const seen = table(ran.stdout);
    assert.equal(Object.keys(seen).length, places.length);
    for (const [place, answer] of Object.entries(seen)) assert.match(answer, /^(ENOENT|EACCES|EPERM)$/, `${place}: ${answer}`);
  });

  test('there is no network but its own loopback', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const ran = await bench.run({
      code: attempts({
        interfaces: '" ".join(name for _, name in socket.if_nameindex())',
        host: `socket.create_connection(("127.0.0.1", ${address.port}), 1)`,
        outside: 'socket.create_connection(("192.0.2.1", 443), 1)',
        datagram: 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))',
        hypervisor: 'socket.socket(40, socket.SOCK_STREAM)',
        raw: 'socket.socket(socket.AF_PACKET, socket.SOCK_RAW)',
        crypto: 'socket.socket(38, socket.SOCK_SEQPACKET)',
      }),
    });
    server.close();
    assert.deepEqual(table(ran.stdout), {
      interfaces: 'lo',
      host: 'ECONNREFUSED',
      outside: 'ENETUNREACH',
      datagram: 'ENETUNREACH',
      hypervisor: 'EAFNOSUPPORT',
      raw: 'EAFNOSUPPORT',
      crypto: 'EAFNOSUPPORT',
    });
  });

  test("the host's processes are invisible and out of reach", async () => {
    const ran = await bench.run({
      code: attempts({
        processes: '" ".join(name for name in os.listdir("/proc") if name.isdigit())',
        hostname: 'os.uname().nodename',
        user: 'f"{os.getuid()} {os.geteuid()} {os.getgid()}"',
        kill: `os.kill(${process.pid}, 0)`,
        writable: 'open("/proc/sys/kernel/core_pattern", "w")',
        caches: 'open("/proc/sys/vm/drop_caches", "w")',
      }),
    });
    const seen = table(ran.stdout);
    assert.match(seen['processes'] ?? '', /^1 \d( \d)?$/);
    assert.deepEqual(
      { ...seen, processes: '' },
      {
        processes: '',
        hostname: 'capsule',
        user: '1000 1000 1000',
        kill: 'ESRCH',
        writable: 'EROFS',
        caches: 'EROFS',
      },
    );
  });

  test('a kernel interface that could lead out is refused', { skip: process.arch !== 'x64' && 'numbers below are of x86_64' }, async () => {
    const ran = await bench.run({
      code: attempts({
        ptrace: 'call(101, 0, 0, 0, 0)',
        mount: 'call(165, 0, 0, 0, 0, 0)',
        unshare: 'call(272, 0x10000000)',
        bpf: 'call(321, 0, 0, 0)',
        io_uring: 'call(425, 1, 0)',
        keyctl: 'call(250, 0, 0)',
        userfaultfd: 'call(323, 0)',
        perf: 'call(298, 0, 0, -1, -1, 0)',
        kexec: 'call(246, 0, 0, 0, 0)',
        module: 'call(313, 0, 0, 0)',
        pivot: 'call(155, 0, 0)',
        setns: 'call(308, 0, 0)',
        process_vm: 'call(310, 1, 0, 0, 0, 0, 0)',
        cloneUser: 'call(56, 0x10000011, 0, 0, 0, 0)',
        clone3: 'call(435, 0, 0)',
        newest: 'call(9999)',
        setuid: 'call(105, 0)',
        chroot: 'call(161, 0)',
      }),
    });
    assert.deepEqual(table(ran.stdout), {
      ptrace: 'EPERM',
      mount: 'EPERM',
      unshare: 'EPERM',
      bpf: 'EPERM',
      io_uring: 'EPERM',
      keyctl: 'EPERM',
      userfaultfd: 'EPERM',
      perf: 'EPERM',
      kexec: 'EPERM',
      module: 'EPERM',
      pivot: 'EPERM',
      setns: 'EPERM',
      process_vm: 'EPERM',
      cloneUser: 'EPERM',
      clone3: 'ENOSYS',
      newest: 'ENOSYS',
      setuid: 'EINVAL',
      chroot: 'EPERM',
    });
  });

  test('programs of the host with the setuid mark give nothing', async () => {
    const ran = await bench.run({
      runtime: 'shell',
      code: 'grep -E "^(NoNewPrivs|CapEff|CapPrm|CapBnd|Seccomp):" /proc/self/status; su -c id root < /dev/null; mount -t tmpfs none /tmp; exit 0',
    });
    assert.deepEqual(ran.stdout.replaceAll('\t', ' ').trim().split('\n').sort(), [
      'CapBnd: 0000000000000000',
      'CapEff: 0000000000000000',
      'CapPrm: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
    ]);
  });

  test('only /out, /tmp and /dev/shm take files', async () => {
    const ran = await bench.run({
      runtime: 'shell',
      code: 'for d in / /capsule /dev /etc /usr /usr/bin /proc /out /tmp /dev/shm; do (echo x > $d/new) 2> /dev/null && echo $d; done; exit 0',
    });
    assert.equal(ran.stdout, '/out\n/tmp\n/dev/shm\n');
  });

  test('nothing lies in the sandbox of what other capsules left or hold', async () => {
    const other = await bench.prepare({ runtime: 'shell', code: 'echo secret > /tmp/left; echo secret > /dev/shm/left; sleep 5' });
    const running = other.run({ onLog: () => undefined, onProgress: () => undefined });
    const ran = await bench.run({ runtime: 'shell', code: 'ls -A /tmp /dev/shm /out /capsule; ls /var/tmp' });
    await other.dispose();
    await running;
    assert.equal(ran.stdout, '/capsule:\nmain\n\n/dev/shm:\n\n/out:\n\n/tmp:\n');
  });

  test(
    'another capsule could not enter the folder of one even on the host',
    { skip: process.geteuid?.() !== 0 && 'the agent is not root here, so capsules run as the agent' },
    async () => {
      const workspace = await bench.prepare({ runtime: 'shell', code: 'exit 0' });
      const root = '/var/tmp/capstan-sandbox-0';
      const slots = readdirSync(root).filter((name) => /^\d+$/.test(name));
      assert.ok(slots.length > 0);
      for (const slot of slots) {
        const listing = spawn('/bin/ls', [path.join(root, slot, 'capsule')], { uid: 65_534, gid: 65_534, cwd: '/', stdio: 'ignore' });
        assert.notEqual(await new Promise((resolve) => listing.on('exit', resolve)), 0);
      }
      await workspace.dispose();
    },
  );

  test('the environment does not stand on a command line that others can read', async () => {
    const workspace = await bench.prepare({ runtime: 'shell', code: 'sleep 5', environment: { TOKEN: 'not-for-neighbours' } });
    const running = workspace.run({ onLog: () => undefined, onProgress: () => undefined });
    await new Promise((resolve) => setTimeout(resolve, 60));
    const lines = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => (existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''));
    await workspace.dispose();
    await running;
    assert.ok(lines.some((line) => line.includes('/capsule/main')));
    assert.ok(!lines.some((line) => line.includes('not-for-neighbours')));
  });

  test('a folder that others may write to is not taken for a stage', async () => {
    const parent = mkdtempSync(path.join(bench.folder, 'parent-'));
    mkdirSync(path.join(parent, `capstan-sandbox-${process.geteuid?.() ?? 0}`));
    chmodSync(path.join(parent, `capstan-sandbox-${process.geteuid?.() ?? 0}`), 0o777);
    await assert.rejects(openSandboxBench({ stageParent: parent }), { code: 'ESTAGE' });
    rmSync(parent, { recursive: true });
  });
});

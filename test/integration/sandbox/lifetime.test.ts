/** The life of a sandbox: it ends with its agent, keeps nothing that the agent inherited, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { openSandboxBench } from './sandbox-bench.ts';

const agentFile = path.join(import.meta.dirname, 'sandbox-agent.ts');

interface AgentReport {
  readonly stdout: string;
  readonly outcome: { readonly status: string };
  readonly report: { readonly identity: string };
}

function startAgent(code: string, options: SpawnOptions = {}, mode = 'run'): ChildProcess {
  return spawn(process.execPath, [agentFile, code, mode], { stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

async function reportOf(agent: ChildProcess): Promise<AgentReport> {
  let text = '';
  agent.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  await new Promise((resolve) => agent.on('close', resolve));
  return JSON.parse(text) as AgentReport;
}

function processesWith(isMeant: (word: string) => boolean): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').some(isMeant);
      } catch {
        return false;
      }
    });
}

async function kill(agent: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => agent.on('exit', resolve));
  agent.kill('SIGKILL');
  await gone;
}

/** The workspace folders of an agent. */
function foldersOf(agent: ChildProcess): string[] {
  const folders = readdirSync(stageRoot()).map((name) => path.join(stageRoot(), name));
  return folders.filter(
    (folder) =>
      existsSync(path.join(folder, 'owner')) && readFileSync(path.join(folder, 'owner'), 'utf8').startsWith(`${String(agent.pid)} `),
  );
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 8000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `${what}: not within 8 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function stageRoot(): string {
  return `/var/tmp/capstan-sandbox-${process.geteuid?.() ?? 0}`;
}

describe('the life of a sandbox', () => {
  test('a capsule dies with its agent, and the next agent clears what is left', async () => {
    const mark = `31.${process.pid}`;
    const agent = startAgent(`setsid sleep ${mark} & exec sleep ${mark}`);
    await until(() => processesWith((word) => word === mark).length === 2, 'the capsule runs');
    const folders = foldersOf(agent);
    assert.equal(folders.length, 1);
    await kill(agent);
    await until(() => processesWith((word) => word === mark).length === 0, 'the capsule is gone');
    const bench = await openSandboxBench();
    assert.deepEqual(
      folders.filter((folder) => existsSync(folder)),
      [],
    );
    await bench.close();
  });

  test('a capsule that waits at its gate when its agent dies never runs, and the next agent ends it', async () => {
    const agent = startAgent('echo ran > /out/x', {}, 'hold');
    await new Promise((resolve) => agent.stdout?.once('data', resolve));
    const folders = foldersOf(agent);
    const isOfAgent = (word: string) => folders.some((folder) => word.startsWith(`${folder}/`));
    assert.ok(folders.length > 0 && processesWith(isOfAgent).length > 0);
    await kill(agent);
    const bench = await openSandboxBench();
    await until(() => processesWith(isOfAgent).length === 0, 'the sandbox is gone');
    assert.deepEqual(
      folders.filter((folder) => existsSync(folder)),
      [],
    );
    await bench.close();
  });

  test("a workspace without an owner is cleared once it is old, a fresh one and another agent's are left", async () => {
    const bench = await openSandboxBench();
    const held = await bench.prepare({ runtime: 'shell', code: 'echo held' });
    const [old, fresh] = [path.join(stageRoot(), '65534999'), path.join(stageRoot(), '65534998')];
    for (const folder of [old, fresh]) mkdirSync(folder);
    utimesSync(old, 1, 1);
    const other = await openSandboxBench();
    await other.close();
    assert.deepEqual([existsSync(old), existsSync(fresh)], [false, true]);
    rmSync(fresh, { recursive: true });
    const outcome = await held.run({ onLog: () => undefined, onProgress: () => undefined });
    assert.equal(outcome.status, 'exited');
    await bench.close();
  });

  test('no descriptor that the agent inherited is open in a capsule', async () => {
    const secret = openSync(agentFile, 'r');
    const stdio = ['ignore', 'pipe', 'inherit', ...Array.from({ length: 20 }, () => secret)] as NonNullable<SpawnOptions['stdio']>;
    const agent = startAgent('for f in /proc/self/fd/*; do echo "${f##*/} $(readlink $f)"; done', { stdio });
    const report = await reportOf(agent);
    closeSync(secret);
    const targets = report.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([number]) => Number(number) > 3 && Number(number) < 10);
    assert.ok(targets.length > 0);
    assert.ok(!report.stdout.includes(path.basename(agentFile)), report.stdout);
  });

  const canRunAsNobody = process.geteuid?.() === 0 && readable(agentFile);
  test(
    'an agent that is not root runs capsules as itself',
    { skip: !canRunAsNobody && 'needs root and a checkout that every user can read' },
    async () => {
      const agent = startAgent(
        'id -u; echo x > /out/x; cat /proc/sys/kernel/core_pattern > /dev/null && echo read; (echo x > /proc/sys/kernel/core_pattern) 2> /dev/null || echo kept',
        { uid: 65_534, gid: 65_534, cwd: '/' },
      );
      const report = await reportOf(agent);
      assert.deepEqual([report.stdout, report.outcome.status, report.report.identity], ['1000\nread\nkept\n', 'exited', 'own']);
      rmSync('/var/tmp/capstan-sandbox-65534', { recursive: true });
    },
  );
});

/** Whether a user who owns nothing reaches the file. */
function readable(file: string): boolean {
  const folders = file
    .split('/')
    .slice(1, -1)
    .map((_, index, parts) => `/${parts.slice(0, index + 1).join('/')}`);
  try {
    accessSync(file, constants.R_OK);
    return folders.every((folder) => (statSync(folder).mode & 0o001) !== 0);
  } catch {
    return false;
  }
}

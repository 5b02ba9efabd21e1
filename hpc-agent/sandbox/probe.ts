/** Why bubblewrap does not work on a machine, and what its owner can do about it. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { programs } from './bubblewrap.ts';

export type UnavailableReason = 'processor-unknown' | 'program-missing' | 'bubblewrap-too-old' | 'namespaces-forbidden' | 'sandbox-broken';

export interface Unavailable {
  readonly status: 'unavailable';
  readonly reason: UnavailableReason;
  /** What is wrong and what to do, one line. */
  readonly detail: string;
}

/** The first program that is not there. */
export function missingProgram(): Unavailable | undefined {
  const missing = Object.values(programs).find((program) => !isExecutable(program));
  if (missing === undefined) return undefined;
  const packageName = missing === programs.bubblewrap ? 'bubblewrap' : 'util-linux and coreutils';
  return { status: 'unavailable', reason: 'program-missing', detail: `${missing} is missing: install ${packageName}` };
}

/** As `bwrap --version` tells it: "0.8.0". @throws Error when it does not run */
export function bubblewrapVersion(): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(programs.bubblewrap, ['--version'], { env: {}, timeout: 5_000 }, (error, stdout) => {
      if (error !== null) reject(new Error(`bubblewrap does not tell its version: ${error.message}`, { cause: error }));
      else resolve(/\d+(\.\d+)+/.exec(stdout)?.[0] ?? '0');
    });
  });
}

/** 0.8 brought sized memory folders and --disable-userns. Pure. */
export function judgeVersion(version: string): Unavailable | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 0 || minor >= 8) return undefined;
  return {
    status: 'unavailable',
    reason: 'bubblewrap-too-old',
    detail: `bubblewrap is ${version}; 0.8.0 or later is needed (Debian 12, Ubuntu 24.04)`,
  };
}

/** Kernel settings on which user namespaces depend; absent ones are undefined. */
export interface NamespaceSettings {
  readonly appArmorRestriction: string | undefined;
  readonly unprivilegedClone: string | undefined;
  readonly namespacesMax: string | undefined;
}

export function readNamespaceSettings(): NamespaceSettings {
  return {
    appArmorRestriction: readSetting('kernel/apparmor_restrict_unprivileged_userns'),
    unprivilegedClone: readSetting('kernel/unprivileged_userns_clone'),
    namespacesMax: readSetting('user/max_user_namespaces'),
  };
}

/** @param complaint what bubblewrap said when a trial failed. Pure. */
export function explainFailure(complaint: string, settings: NamespaceSettings): Unavailable {
  const forbidden = (detail: string): Unavailable => ({ status: 'unavailable', reason: 'namespaces-forbidden', detail });
  if (settings.unprivilegedClone === '0') return forbidden('user namespaces are switched off: sysctl kernel.unprivileged_userns_clone=1');
  if (settings.namespacesMax === '0') return forbidden('user namespaces are switched off: sysctl user.max_user_namespaces=10000');
  if (settings.appArmorRestriction === '1' && /uid map|namespace|RTM_NEWADDR/i.test(complaint)) {
    return forbidden(
      'AppArmor keeps user namespaces from programs without a profile (Ubuntu 24.04): allow "userns" for /usr/bin/bwrap in /etc/apparmor.d/bwrap, then reload AppArmor',
    );
  }
  if (/mount proc/i.test(complaint))
    return forbidden(
      'a container around the agent hides /proc: run the agent on the host, or the container with --security-opt systempaths=unconfined',
    );
  if (/namespace|Operation not permitted/i.test(complaint))
    return forbidden(`a container or a security policy forbids namespaces (${complaint}): run the agent on the host`);
  return { status: 'unavailable', reason: 'sandbox-broken', detail: `bubblewrap does not work here: ${complaint}` };
}

function isExecutable(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined; // this kernel has no such setting
  }
}

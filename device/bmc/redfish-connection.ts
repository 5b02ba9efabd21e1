/**
 * One Redfish service over HTTPS: its certificate checked, a session, one request at a time, bounded in time and size.
 * Specification §16.5, DSP0266.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { harmless } from '#protocol/schema.ts';
import { readPassword } from '../password-file.ts';
import { BmcFailed, noAccess } from './bmc.ts';
import { BMC_LIMITS } from './limits.ts';
import { listField, requirePath, resourceField, resourceOf, textField, WrongResource, type Resource } from './redfish-fields.ts';

/** By whom the BMC's certificate is vouched for: a PEM file of authorities, or its own SHA-256 as lower-case hexadecimal. */
export type RedfishTrust = { readonly authority: string } | { readonly fingerprint: string };

export interface RedfishAccess {
  /** `https://host` with a port, without a path. */
  readonly url: string;
  readonly user: string;
  readonly passwordFile: string;
  readonly trust: RedfishTrust;
  /** Of one request, from its beginning to the last byte of its answer. */
  readonly timeoutMs?: number | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly token: string | undefined;
  readonly location: string | undefined;
}

const SESSIONS = '/redfish/v1/SessionService/Sessions';
const UNAUTHORISED = 401;
const DETAIL_CHARACTERS_MAX = 200;

export class RedfishConnection {
  readonly #access: RedfishAccess;
  readonly #origin: URL;
  readonly #way: Way;
  #token: string | undefined;
  #session: string | undefined;
  #sessions = SESSIONS;

  /** @throws BmcFailed when the authority can't be read */
  constructor(access: RedfishAccess) {
    this.#access = access;
    this.#origin = new URL(access.url);
    this.#way = wayTo(this.#origin, access.trust, access.timeoutMs ?? BMC_LIMITS.commandMs);
  }

  /** Of the service root, which needs no session. */
  useSessions(path: string | undefined): void {
    this.#sessions = path ?? SESSIONS;
  }

  /** @throws BmcFailed */
  async get(path: string, as: 'user' | 'anybody' = 'user'): Promise<Resource> {
    const { body } = await this.#ask('GET', path, undefined, as);
    return resourceIn(body, path);
  }

  /** @throws BmcFailed */
  async post(path: string, content: Resource): Promise<void> {
    await this.#ask('POST', path, content, 'user');
  }

  /** Ends the session, so that it does not keep a place; never rejects. */
  async close(): Promise<void> {
    try {
      if (this.#session !== undefined) await this.#send('DELETE', this.#session, undefined);
    } catch {
      // A session that can't be deleted ends by itself.
    }
    this.#way.end();
  }

  /** A session that has expired is made again, once. */
  async #ask(method: string, path: string, content: Resource | undefined, as: 'user' | 'anybody'): Promise<Answer> {
    if (as === 'user' && this.#token === undefined) await this.#logIn();
    let answer = await this.#send(method, path, content);
    if (answer.status === UNAUTHORISED && as === 'user') {
      await this.#logIn();
      answer = await this.#send(method, path, content);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw this.#refusal(method, path, answer);
  }

  async #logIn(): Promise<void> {
    this.#token = undefined;
    const { user, passwordFile } = this.#access;
    const answer = await this.#send('POST', this.#sessions, {
      UserName: user,
      Password: readPassword(passwordFile, BMC_LIMITS.passwordBytesMax, noAccess),
    });
    if ([400, UNAUTHORISED, 403].includes(answer.status))
      throw this.#failed(
        'no-access',
        `refuses the password of "${user}"; write the right one into ${passwordFile}${messageIn(answer.body)}`,
      );
    if (answer.status >= 300) throw this.#refusal('POST', this.#sessions, answer);
    if (answer.token === undefined) throw this.#failed('hardware', 'made a session without an X-Auth-Token (DSP0266)');
    this.#token = answer.token;
    this.#session = this.#pathOf(answer.location);
  }

  /** Location may be a path or a URL; another host's is not followed. */
  #pathOf(location: string | undefined): string | undefined {
    const url = location === undefined ? null : URL.parse(location, this.#origin);
    return url?.origin === this.#origin.origin ? url.pathname : undefined;
  }

  #send(method: string, path: string, content: Resource | undefined): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const { timeoutMs = BMC_LIMITS.commandMs } = this.#access;
    const body = content === undefined ? undefined : Buffer.from(JSON.stringify(content));
    const sent = httpsRequest(this.#origin, {
      method,
      path: requireOwnPath(path),
      agent: this.#way.agent,
      headers: {
        accept: 'application/json',
        'odata-version': '4.0',
        ...(this.#token !== undefined && { 'x-auth-token': this.#token }),
        ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
      },
    });
    const timer = setTimeout(() => {
      const late = this.#failed('no-answer', `did not answer ${method} ${path} within ${timeoutMs / 1_000} s`);
      sent.destroy(late);
      reject(late);
    }, timeoutMs);
    const fail = (error: unknown): void =>
      reject(
        error instanceof BmcFailed
          ? error
          : this.#failed('no-answer', `can't be asked: ${error instanceof Error ? error.message : String(error)}`),
      );
    sent.once('error', (error) => {
      // The service may end a connection that rested while the next request is on its way.
      if (sent.reusedSocket && method === 'GET' && 'code' in error && error.code === 'ECONNRESET')
        resolve(this.#send(method, path, content));
      else fail(error);
    });
    sent.once('response', (response) => {
      this.#collect(response, path).then(resolve, (error: unknown) => {
        sent.destroy();
        fail(error);
      });
    });
    sent.end(body);
    return promise.finally(() => clearTimeout(timer));
  }

  async #collect(response: IncomingMessage, path: string): Promise<Answer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > BMC_LIMITS.answerBytesMax)
        throw this.#failed('hardware', `gives more than ${BMC_LIMITS.answerBytesMax} bytes for ${path}; no resource is so large`);
      chunks.push(chunk);
    }
    return {
      status: response.statusCode ?? 0,
      body: Buffer.concat(chunks),
      token: headerOf(response, 'x-auth-token'),
      location: headerOf(response, 'location'),
    };
  }

  #refusal(method: string, path: string, { status, body }: Answer): BmcFailed {
    const reason = status === UNAUTHORISED || status === 403 ? 'no-access' : 'hardware';
    return this.#failed(reason, `answers ${method} ${path} with ${status}${messageIn(body)}${adviceFor(status, this.#access.user)}`);
  }

  #failed(reason: BmcFailed['reason'], message: string): BmcFailed {
    return new BmcFailed(reason, `the Redfish service at ${this.#origin.host} ${message}`);
  }
}

function adviceFor(status: number, user: string): string {
  if (status === UNAUTHORISED || status === 403) return `; give "${user}" the role Operator`;
  return status >= 300 && status < 400 ? '; redirections are not followed: name the service itself' : '';
}

interface Way {
  readonly agent: Agent;
  /** Ends its connection, and one of which the handshake is not over, which the agent does not know yet. */
  readonly end: () => void;
}

/**
 * Keeps one connection, whose certificate was checked before the first byte of a request.
 * @param timeoutMs of a handshake: who takes a connection and never speaks TLS holds no socket
 */
function wayTo(origin: URL, trust: RedfishTrust, timeoutMs: number): Way {
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  const port = origin.port === '' ? 443 : Number(origin.port);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const server = { host, port, minVersion: 'TLSv1.2', ...(isIP(host) === 0 && { servername: host }) } as const;
  const options: ConnectionOptions =
    'authority' in trust
      ? { ...server, ca: readAuthority(trust.authority) }
      : // The chain is not asked, because the certificate itself is: the handshake shows that the service holds its key.
        { ...server, rejectUnauthorized: false };
  const arriving = new Set<TLSSocket>();
  agent.createConnection = (_options, done) => {
    const socket = connect(options);
    arriving.add(socket);
    const late = setTimeout(() => socket.destroy(new Error(`no TLS handshake within ${timeoutMs / 1_000} s`)), timeoutMs);
    const arrived = (): void => {
      clearTimeout(late);
      arriving.delete(socket);
    };
    socket.once('close', arrived);
    const fail = (error: Error): void => done?.(error, socket);
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      arrived();
      const wrong = 'fingerprint' in trust ? judgeFingerprint(socket, trust.fingerprint, origin) : undefined;
      if (wrong) return void socket.destroy(wrong);
      socket.off('error', fail);
      done?.(null, socket);
    });
    return undefined;
  };
  const end = (): void => {
    agent.destroy();
    for (const socket of arriving) socket.destroy(new Error('it was let go of'));
  };
  return { agent, end };
}

function judgeFingerprint(socket: TLSSocket, expected: string, origin: URL): BmcFailed | undefined {
  const shown = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? 'none';
  if (shown === expected) return undefined;
  const message = `shows the certificate ${shown}, not ${expected}; look at the BMC itself, and if it is its own, name it as "fingerprint"`;
  return new BmcFailed('no-access', `the Redfish service at ${origin.host} ${message}`);
}

function readAuthority(file: string): string {
  try {
    if (statSync(file).size > BMC_LIMITS.authorityBytesMax) throw new Error(`it has more than ${BMC_LIMITS.authorityBytesMax} bytes`);
    const pem = readFileSync(file, 'utf8');
    new X509Certificate(pem);
    return pem;
  } catch (error) {
    const was = error instanceof Error ? error.message : String(error);
    throw new BmcFailed('no-access', `the authority ${file} can't be used: ${was}; name a PEM file of certificates`);
  }
}

function requireOwnPath(path: string): string {
  try {
    return requirePath(path, 'the path');
  } catch (error) {
    throw new BmcFailed('hardware', error instanceof Error ? error.message : String(error));
  }
}

function headerOf(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' && value.length <= 1_024 ? value : undefined;
}

function resourceIn(body: Buffer, path: string): Resource {
  try {
    return resourceOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)), path);
  } catch (error) {
    throw new BmcFailed(
      'hardware',
      `the Redfish service gives for ${path} what is no JSON object: ${error instanceof Error ? error.message : ''}`,
    );
  }
}

/** What the service says about a refusal: `error.@Message.ExtendedInfo[0].Message` (DSP0266), where it says it. */
function messageIn(body: Buffer): string {
  try {
    const error = resourceField(resourceIn(body, 'an error'), 'error') ?? {};
    const [first] = listField(error, '@Message.ExtendedInfo');
    const said = textField(first ?? {}, 'Message') ?? textField(error, 'message');
    return said === undefined ? '' : `: ${harmless(said, DETAIL_CHARACTERS_MAX)}`;
  } catch (error) {
    if (error instanceof BmcFailed || error instanceof WrongResource) return '';
    throw error;
  }
}

/**
 * The box's TPM: its keys, quotes over its registers, and the logs that explain them. Specification §6.5.
 *
 * The endorsement key is made anew from its template (the same in every start), the attestation key is a file that only this chip opens.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { BoxKeys, BoxTpmEvidence, ClosedSecret } from '#protocol/measured-box/box-tpm.ts';
import { activationAnswer, boxQuoteQualifier, type QuotedBox } from '#protocol/measured-box/box-quote.ts';
import { BOX_PCRS } from '#protocol/measured-box/registers.ts';
import { errorCode, readIfThere } from '../atomic-file.ts';
import type { Log } from '../log.ts';
import { KERNEL_LOGS, type BoxTpmConfiguration } from './configuration.ts';
import { KeptLogs } from './kept-logs.ts';
import { TpmTools } from './tools.ts';

const files = { ekContext: 'ek.ctx', ekPublic: 'ek.pub', akPublic: 'ak.pub', akPrivate: 'ak.priv', akContext: 'ak.ctx' } as const;
/** Of an RSA-2048 endorsement key. TCG EK Credential Profile 2.5 §2.2.1.4. */
const CERTIFICATE_INDEX = '0x1c00002';
const AK_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign';
const DIGEST_BYTES = 32;

/** What a quote is to be about, and the secret to open, if the challenge had one. */
export interface TpmQuestion extends QuotedBox {
  readonly nonce: Uint8Array;
  readonly activation?: ClosedSecret | undefined;
}

/** @throws Error with `code` where the TPM does not answer or refuses */
export async function openBoxTpm(configuration: BoxTpmConfiguration, folder: string, log: Log): Promise<BoxTpm> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const tpm = new BoxTpm(configuration, folder, log);
  await tpm.load();
  return tpm;
}

export class BoxTpm {
  readonly #configuration: BoxTpmConfiguration;
  readonly #folder: string;
  readonly #tools: TpmTools;
  readonly #logs = new KeptLogs();
  readonly #log: Log;
  #keys: BoxKeys | undefined;
  /** One question at a time: the chip has three places. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(configuration: BoxTpmConfiguration, folder: string, log: Log) {
    this.#configuration = configuration;
    this.#folder = folder;
    this.#tools = new TpmTools(configuration.tcti, folder);
    this.#log = log;
  }

  get keys(): BoxKeys | undefined {
    return this.#keys;
  }

  /** Makes what is missing and loads it. */
  async load(): Promise<void> {
    await this.#tools.flush();
    await this.#tools.run('tpm2_createek', '-c', files.ekContext, '-G', 'rsa', '-u', files.ekPublic, '-f', 'tss');
    await this.#tools.flush();
    const isKnown = await this.#loadAttestationKey();
    if (!isKnown) await this.#createAttestationKey();
    this.#keys = {
      endorsementKey: await this.#publicArea(files.ekPublic),
      attestationKey: await this.#publicArea(files.akPublic),
      certificates: await this.#certificates(),
    };
  }

  /** Quote, registers and logs; what the logs name is served by `piece`. @throws TpmToolFailed @throws Error with `code` */
  answer(question: TpmQuestion): Promise<BoxTpmEvidence> {
    const answered = this.#last.then(() => this.#answer(question));
    this.#last = answered.catch(() => undefined);
    return answered;
  }

  /** Bytes of a log that evidence has named; undefined of anything else. */
  piece(digest: Uint8Array): Uint8Array | undefined {
    return this.#logs.piece(digest);
  }

  async #answer(question: TpmQuestion): Promise<BoxTpmEvidence> {
    const activated = question.activation && activationAnswer(await this.#open(question.activation), question.network, question.nonce);
    const quote = await this.#quoteAgain(boxQuoteQualifier(question));
    // After the quote, so that the logs explain what it shows; what came since does not count (§6.5).
    const { bootLog, imaLog } = this.#configuration;
    const logs = this.#logs.keep(await readLog(bootLog ?? KERNEL_LOGS.bootLog), await readLog(imaLog ?? KERNEL_LOGS.imaLog));
    return { ...quote, ...logs, ...(activated ? { activated } : {}) };
  }

  /** Contexts of keys do not survive a reset of the chip. */
  async #quoteAgain(qualifier: Uint8Array) {
    try {
      return await this.#quote(qualifier);
    } catch (error) {
      this.#log('tpm-reloaded', { reason: error instanceof Error ? error.message : String(error) });
      await this.load();
      return this.#quote(qualifier);
    }
  }

  async #quote(qualifier: Uint8Array): Promise<Pick<BoxTpmEvidence, 'quote' | 'signature' | 'registers'>> {
    const selection = `sha256:${BOX_PCRS.join(',')}`;
    const into = ['-m', 'quote.msg', '-s', 'quote.sig', '-f', 'tss', '-o', 'quote.pcrs', '-F', 'values'];
    await this.#tools.run('tpm2_quote', '-c', files.akContext, '-l', selection, '-q', qualifier.toHex(), '-g', 'sha256', ...into);
    await this.#tools.flush();
    const [quote, signature, values] = await Promise.all(['quote.msg', 'quote.sig', 'quote.pcrs'].map((file) => this.#read(file)));
    const registers = BOX_PCRS.map((_, index) => (values as Uint8Array).slice(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES));
    return { quote: quote as Uint8Array, signature: signature as Uint8Array, registers };
  }

  async #open({ blob, secret }: ClosedSecret): Promise<Uint8Array> {
    await writeFile(path.join(this.#folder, 'closed.blob'), credentialFile(blob, secret), { mode: 0o600 });
    try {
      await this.#tools.withEndorsement((session) =>
        this.#tools.run(
          'tpm2_activatecredential',
          '-c',
          files.akContext,
          '-C',
          files.ekContext,
          '-i',
          'closed.blob',
          '-o',
          'opened',
          '-P',
          `session:${session}`,
        ),
      );
      return await this.#read('opened');
    } finally {
      await this.#tools.flush();
      await rm(path.join(this.#folder, 'opened'), { force: true });
    }
  }

  async #loadAttestationKey(): Promise<boolean> {
    if (!(await readIfThere(path.join(this.#folder, files.akPrivate)))) return false;
    try {
      await this.#load();
      return true;
    } catch (error) {
      this.#log('attestation-key-lost', { reason: error instanceof Error ? error.message : String(error) });
      return false;
    }
  }

  async #createAttestationKey(): Promise<void> {
    await this.#tools.withEndorsement((session) =>
      this.#tools.run(
        'tpm2_create',
        ...['-C', files.ekContext, '-P', `session:${session}`, '-G', 'ecc256:ecdsa-sha256:null', '-g', 'sha256', '-a', AK_ATTRIBUTES],
        ...['-u', files.akPublic, '-r', files.akPrivate],
      ),
    );
    await this.#tools.flush();
    await this.#load();
  }

  async #load(): Promise<void> {
    await this.#tools.withEndorsement((session) =>
      this.#tools.run(
        'tpm2_load',
        '-C',
        files.ekContext,
        '-P',
        `session:${session}`,
        '-u',
        files.akPublic,
        '-r',
        files.akPrivate,
        '-c',
        files.akContext,
      ),
    );
    await this.#tools.flush();
  }

  /** None where the chip's maker left none. */
  async #certificates(): Promise<Uint8Array[]> {
    try {
      await this.#tools.run('tpm2_nvread', CERTIFICATE_INDEX, '-o', 'ek.crt');
      return [derIn(await this.#read('ek.crt'))];
    } catch (error) {
      this.#log('endorsement-certificate-absent', { reason: error instanceof Error ? error.message : String(error) });
      return [];
    }
  }

  /** TPMT_PUBLIC: the file holds a TPM2B_PUBLIC. */
  async #publicArea(file: string): Promise<Uint8Array> {
    return (await this.#read(file)).slice(2);
  }

  async #read(file: string): Promise<Uint8Array> {
    return new Uint8Array(await readFile(path.join(this.#folder, file)));
  }
}

/** A kernel without TPM or IMA has no such file. */
async function readLog(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return new Uint8Array();
    throw error;
  }
}

/** How tpm2-tools keep a credential: magic, version 1, then TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. tpm2-tools, lib/files.c. */
function credentialFile(blob: Uint8Array, secret: Uint8Array): Uint8Array {
  return Uint8Array.of(...[0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1], ...blob, ...secret);
}

/** NV indexes may be longer than what is in them. */
function derIn(content: Uint8Array): Uint8Array {
  const isLong = content[0] === 0x30 && content[1] === 0x82;
  return isLong ? content.slice(0, 4 + (content[2] ?? 0) * 256 + (content[3] ?? 0)) : content;
}

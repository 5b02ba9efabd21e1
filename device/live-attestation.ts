/** Attestation among the members as they are: begun anew whenever members of the chain come or go. Specification §3, §11.5. */
import { runAttestation, type Attestation, type AttestationRequest } from './attestation/host.ts';
import type { PeerStanding } from './attestation/standing.ts';
import type { Verification } from './attestation/verification.ts';

type Request = Omit<AttestationRequest, 'network'>;

export class LiveAttestation {
  readonly #request: Request;
  #current: Attestation;
  #leftToOthers: readonly Uint8Array[] = [];
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  private constructor(request: Request, current: Attestation) {
    this.#request = request;
    this.#current = current;
  }

  /** @throws Error where this device is no member of the network, or its record can't be read */
  static async start(request: AttestationRequest): Promise<LiveAttestation> {
    return new LiveAttestation(request, await runAttestation(request));
  }

  evidence(): Uint8Array | undefined {
    return this.#current.evidence();
  }

  ownStanding(): PeerStanding | undefined {
    return this.#current.ownStanding();
  }

  /** Whether this device would vouch for the peer with this card. @param card its member digest (§11.5) */
  verificationOf(card: Uint8Array): Verification {
    return this.#current.verificationOf(card);
  }

  /** Newcomers whose keys others activate (§11.5), in the place of those before. */
  leaveToOthers(nodes: readonly Uint8Array[]): void {
    if (nodes.length === 0 && this.#leftToOthers.length === 0) return;
    this.#leftToOthers = nodes;
    this.#current.leaveToOthers(nodes);
  }

  republish(): void {
    this.#current.republish();
  }

  /** What is remembered of the members is kept; what was half done is done again. */
  changeNetwork(network: AttestationRequest['network']): Promise<void> {
    this.#turn = this.#turn
      .then(async () => {
        if (this.#stopped) return;
        await this.#current.stop();
        this.#current = await runAttestation({ ...this.#request, network, leftToOthers: this.#leftToOthers });
      })
      .catch((error: unknown) => this.#request.onFailure(error));
    return this.#turn;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#turn;
    await this.#current.stop();
  }
}

/** What can keep a client from what it asked for. The message is a sentence for people, the code is for programs. */
import type { Refusal } from '#protocol/client-messages.ts';

export type ClientFailureCode =
  | `refused-${Refusal}`
  | 'no-answer'
  | 'not-paired'
  | 'not-connected'
  | 'forbidden'
  | 'acceptance-refused'
  | 'file-changed'
  | 'blob-missing'
  | 'blob-wrong'
  | 'no-receipt'
  | 'proof-refused'
  | 'layer1-not-read'
  | 'too-many'
  | 'closed';

export class ClientFailure extends Error {
  readonly code: ClientFailureCode;
  constructor(code: ClientFailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

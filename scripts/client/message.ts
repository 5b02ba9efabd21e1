/** Reading what a device publishes for its client: CBOR, or JSON for capsules that were submitted in JSON (specification §2.4). */
import { decodeBulk, decodeJson, type Decoded } from '#protocol/codec.ts';
import type { Incoming } from '#protocol/mqtt-port.ts';
import type { Schema } from '#protocol/schema.ts';

export const CBOR = 'application/cbor';
const JSON_TYPE = 'application/json';

export function readMessage<T>(schema: Schema<T>, { payload, contentType }: Incoming, bytesMax: number): Decoded<T> {
  const isJson = contentType?.split(';')[0]?.trim() === JSON_TYPE;
  return isJson ? decodeJson(schema, payload, bytesMax) : decodeBulk(schema, payload, bytesMax);
}

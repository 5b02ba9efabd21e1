/** Which blobs belong to a run: sizes in bytes by hexadecimal digest. Pure. Specification §7.1, §8. */
import { ReportMessage } from '#protocol/box-messages.ts';
import { hex } from '#protocol/digest.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { peekSigned } from '#protocol/signed.ts';

export type BlobSizes = ReadonlyMap<string, number>;

/** @param manifest encoded */
export function inputSizes(manifest: Uint8Array | undefined): BlobSizes {
  const decoded = manifest && decodeManifest(manifest);
  return decoded?.status === 'decoded' ? sizesOf(decoded.value.files) : new Map<string, number>();
}

/** @param report the box's, signed: everything that the run left */
export function outputSizes(report: Uint8Array | undefined): BlobSizes {
  const peeked = report && peekSigned(ReportMessage, report);
  if (peeked?.status !== 'decoded') return new Map<string, number>();
  const { outputs, stdout, stderr } = peeked.value;
  return sizesOf([...outputs, stdout, stderr]);
}

/** @param receipt signed */
export function outputSizesInReceipt(receipt: Uint8Array | undefined): BlobSizes {
  const peeked = receipt && peekSigned(ReceiptMessage, receipt);
  return outputSizes(peeked?.status === 'decoded' ? peeked.value.report : undefined);
}

function sizesOf(blobs: readonly { readonly digest: Uint8Array; readonly bytes: number }[]): BlobSizes {
  return new Map(blobs.map(({ digest, bytes }) => [hex(digest), bytes]));
}

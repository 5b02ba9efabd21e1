/** NV indexes: read in pieces, counted, extended, removed (TPM 2.0 Part 3 section 31). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';

import { hasTpmCode } from '../../../device/tpm/error.ts';
import { nvDefine, nvExtend, nvIncrement, nvRead, nvReadPublic, nvUndefine, nvWrite } from '../../../device/tpm/nv.ts';
import { noAttributes } from './nv-attributes.ts';
import { openTpmUnderTest, wearing } from './tpm-under-test.ts';

const bench = await openTpmUnderTest();
const { tpm } = bench;
const index = 0x01500042;
after(() => bench.close());

test('an index that is not there is not there', async () => {
  assert.deepEqual([await nvRead(tpm, index), await nvReadPublic(tpm, index)], [undefined, undefined]);
});

test('contents longer than the chip takes at once are written and read in pieces', wearing, async () => {
  const bytes = createHash('shake256', { outputLength: 1_500 }).update('contents').digest();
  await withIndex({ dataBytes: bytes.length }, async () => {
    await assert.rejects(nvRead(tpm, index), (error) => hasTpmCode(error, 'nvUninitialized'));
    const unwritten = await nvReadPublic(tpm, index);
    await nvWrite(tpm, { index, bytes });
    assert.deepEqual(await nvRead(tpm, index), new Uint8Array(bytes));
    const written = await nvReadPublic(tpm, index);
    assert.deepEqual([unwritten?.nvPublic.attributes.written, written?.nvPublic.attributes.written], [false, true]);
    assert.notDeepEqual(written?.name, unwritten?.name);
  });
});

test('a counter only counts up', wearing, async () => {
  await withIndex({ dataBytes: 8, type: 'typeCounter' }, async () => {
    await nvIncrement(tpm, index);
    const first = await nvRead(tpm, index);
    await nvIncrement(tpm, index);
    const second = await nvRead(tpm, index);
    assert.ok(first && second);
    assert.equal(BigInt(`0x${second.toHex()}`) - BigInt(`0x${first.toHex()}`), 1n);
    await assert.rejects(nvWrite(tpm, { index, bytes: new Uint8Array(8) }), /NV_Write/);
  });
});

test('an extend index is H(before ‖ bytes)', wearing, async () => {
  await withIndex({ dataBytes: 32, type: 'typeExtend' }, async () => {
    await nvExtend(tpm, { index, bytes: Uint8Array.of(1, 2, 3) });
    const expected = createHash('sha256')
      .update(new Uint8Array(32))
      .update(Uint8Array.of(1, 2, 3))
      .digest('hex');
    assert.equal((await nvRead(tpm, index))?.toHex(), expected);
  });
});

async function withIndex(
  { dataBytes, type }: { dataBytes: number; type?: 'typeCounter' | 'typeExtend' },
  work: () => Promise<void>,
): Promise<void> {
  const attributes = { ...noAttributes, authRead: true, authWrite: true, noDA: true, ...(type === undefined ? {} : { [type]: true }) };
  await nvDefine(tpm, {
    hierarchy: 'owner',
    nvPublic: { index, nameAlgorithm: 'sha256', attributes, authPolicy: new Uint8Array(), dataBytes },
  });
  try {
    await work();
  } finally {
    await nvUndefine(tpm, { hierarchy: 'owner', index });
  }
  assert.equal(await nvReadPublic(tpm, index), undefined);
}

/** Headers of blocks in strict CBOR, and what is nearly one. Specification §2.1 and §11.1. */
import { concatBytes } from '@noble/hashes/utils.js';
import { decodeHeader, encodeHeader, type Header } from '#protocol/chain/block.ts';
import { blobDigest } from '#protocol/digest.ts';
import { mutated } from '../../scripts/fuzz/mutation.ts';
import { hex } from '../unit/tpm/captured.ts';
import { caseKind } from './case-kind.ts';

interface HeaderInput {
  readonly header: Uint8Array;
  readonly [name: string]: Uint8Array;
}

const digest = (name: string): Uint8Array => blobDigest(new TextEncoder().encode(name));
const base: Header = {
  version: 1,
  network: digest('network'),
  height: 48,
  parent: digest('parent'),
  node: digest('node'),
  timeMs: 1_790_000_000_000,
  draw: new Uint8Array(256).fill(7),
  start: { attestation: new Uint8Array(134).fill(9), signature: new Uint8Array(64).fill(11) },
  transactions: digest('transactions'),
  state: digest('state'),
};
const good = encodeHeader(base);
const none = { network: new Uint8Array(32), parent: new Uint8Array(32), node: new Uint8Array(32), height: 0 };

export const headerCases = caseKind<HeaderInput>({
  name: 'headers',
  named: function* () {
    for (const height of [1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])
      yield [`height ${height}`, headerWith({ height })];
    for (const timeMs of [0, 23, 2 ** 53 - 1]) yield [`time ${timeMs}`, headerWith({ timeMs })];
    for (const length of [1, 23, 24, 255, 256, 512]) yield [`an attestation of ${length} bytes`, withAttestation(length)];
    for (const [name, header] of near()) yield [name, { header }];
  },
  judge: ({ header }) => {
    const decoded = decodeHeader(header);
    const { network, parent, node, height } = decoded.status === 'decoded' ? decoded.value : none;
    return { verdict: decoded.status === 'decoded' ? 'accepted' : 'malformed', network, parent, node, height };
  },
  mutate: (draw) => ({ header: mutated([good], draw).slice(0, 1_500) }),
});

function* near(): Iterable<readonly [string, Uint8Array]> {
  const entries = entriesOf();
  const map = (given: ReadonlyMap<string, Uint8Array>, head = Uint8Array.of(0xa0 + given.size)) =>
    concatBytes(head, ...[...given].flatMap(([name, value]) => [text(name), value]));
  const with_ = (name: string, value: Uint8Array) => map(new Map(entries).set(name, value));
  yield ['made by hand', map(entries)];
  yield ['nothing', new Uint8Array()];
  yield ['an empty map', Uint8Array.of(0xa0)];
  for (const name of entries.keys()) {
    const without = new Map(entries);
    without.delete(name);
    yield [`without ${name}`, map(without)];
    yield [`null for ${name}`, with_(name, Uint8Array.of(0xf6))];
    yield [`a list for ${name}`, with_(name, Uint8Array.of(0x80))];
    yield [`a text for ${name}`, with_(name, text('x'))];
    yield [`${name} in capitals`, map(new Map([...entries].map(([key, value]) => [key === name ? key.toUpperCase() : key, value])))];
    yield [`a tag before ${name}`, with_(name, concatBytes(Uint8Array.of(0xc0), entries.get(name) ?? none.node))];
  }
  yield ['one entry more', map(new Map(entries).set('transactionsRoot', entries.get('state') ?? none.node))];
  yield [
    'the last entry twice',
    concatBytes(Uint8Array.of(0xab), good.subarray(1), text('transactions'), entries.get('state') ?? none.node),
  ];
  yield ['keys in another order', map(new Map([...entries].reverse()))];
  yield ['keys in the order of the alphabet', map(new Map([...entries].sort(([left], [right]) => (left < right ? -1 : 1))))];
  for (const [name, head] of [
    ['a long length', 'b80a'],
    ['an indefinite length', 'bf'],
    ['eleven entries', 'ab'],
    ['nine entries', 'a9'],
  ] as const) {
    yield [`a map with ${name}`, concatBytes(hex(head), good.subarray(1), ...(head === 'bf' ? [hex('ff')] : []))];
  }
  const numbers = [
    '00',
    '1817',
    '1818',
    '190018',
    '1900ff',
    '1a0000ffff',
    '1b00000000ffffffff',
    '1b0020000000000000',
    '1bffffffffffffffff',
  ];
  for (const height of [...numbers, '20', 'fb4048000000000000', 'f95200', '1c', '1f', 'c249010000000000000000'])
    yield [`height ${height}`, with_('height', hex(height))];
  for (const version of ['00', '02', '1801', '61', 'f5']) yield [`version ${version}`, with_('version', hex(version))];
  yield ['a network of 31 bytes', with_('network', bytes(31))];
  yield ['a network of 33 bytes', with_('network', bytes(33))];
  yield ['a network with a long length', with_('network', concatBytes(hex('590020'), new Uint8Array(32)))];
  yield ['a network in two pieces', with_('network', concatBytes(hex('5f'), bytes(16), bytes(16), hex('ff')))];
  yield ['a draw of 255 bytes', with_('draw', bytes(255))];
  yield ['a byte after the header', concatBytes(good, Uint8Array.of(0))];
  yield ['a byte short', good.slice(0, -1)];
  const start = (...parts: Uint8Array[]) => with_('start', concatBytes(...parts));
  const [signature, attestation] = [
    [text('signature'), bytes(64)],
    [text('attestation'), bytes(134)],
  ] as const;
  yield ['a start of another order', start(hex('a2'), ...attestation, ...signature)];
  yield ['a start without attestation', start(hex('a1'), ...signature)];
  yield ['a start with more', start(hex('a3'), ...signature, ...attestation, text('attestations'), bytes(1))];
  yield ['a start with a signature of 63 bytes', start(hex('a2'), text('signature'), bytes(63), ...attestation)];
  yield ['an empty attestation', start(hex('a2'), ...signature, text('attestation'), bytes(0))];
  yield ['an attestation of 513 bytes', start(hex('a2'), ...signature, text('attestation'), bytes(513))];
  for (const end of [7, 8, 9]) yield [`cut in or after the head of draw, to ${end} bytes`, good.slice(0, end)];
  for (let end = 1; end < good.length; end += 23) yield [`cut to ${end} bytes`, good.slice(0, end)];
}

/** The entries of `base` in the order of RFC 8949 section 4.2.1, encoded by other means than the protocol's. */
function entriesOf(): Map<string, Uint8Array> {
  const start = concatBytes(hex('a2'), text('signature'), bytes(64, 11), text('attestation'), bytes(134, 9));
  return new Map([
    ['draw', bytes(256, 7)],
    ['node', concatBytes(hex('5820'), base.node)],
    ['start', start],
    ['state', concatBytes(hex('5820'), base.state)],
    ['height', hex('1830')],
    ['parent', concatBytes(hex('5820'), base.parent)],
    ['timeMs', concatBytes(hex('1b'), hex(base.timeMs.toString(16).padStart(16, '0')))],
    ['network', concatBytes(hex('5820'), base.network)],
    ['version', hex('01')],
    ['transactions', concatBytes(hex('5820'), base.transactions)],
  ]);
}

function headerWith(fields: Partial<Header>): HeaderInput {
  return { header: encodeHeader({ ...base, ...fields }) };
}

function withAttestation(length: number): HeaderInput {
  return headerWith({ start: { ...base.start, attestation: new Uint8Array(length).fill(9) } });
}

function text(content: string): Uint8Array {
  return concatBytes(Uint8Array.of(0x60 + content.length), new TextEncoder().encode(content));
}

function bytes(length: number, fill = 0): Uint8Array {
  const head = length < 24 ? [0x40 + length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 0xff];
  return concatBytes(Uint8Array.from(head), new Uint8Array(length).fill(fill));
}

/** The code and the address of a window, as people type them. Specification §5.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatInvitation,
  formatPairingCode,
  formatWindowAddress,
  objectionToName,
  pairingCodeFrom,
  parsePairingCode,
  parseWindowAddress,
  type WindowAddress,
} from '#protocol/pairing-code.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codes = fc.uint8Array({ minLength: 7, maxLength: 7 }).map(pairingCodeFrom);

test('a code is shown as ABCD-EFGH and read back, however it is typed: case, spaces, hyphens, O for 0, I and L for 1', () => {
  fc.assert(
    fc.property(codes, fc.array(fc.nat(5), { minLength: 9, maxLength: 9 }), (code, choices) => {
      const shown = formatPairingCode(code);
      assert.match(shown, /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
      const typed = Array.from(shown, (character, at) => {
        const choice = choices[at] ?? 0;
        if (character === '0') return ['0', 'O', 'o', '0 ', ' 0', 'O'][choice] ?? '';
        if (character === '1') return ['1', 'I', 'l', 'L', 'i', '1-'][choice] ?? '';
        if (character === '-') return ['', '-', ' ', '\u2013', '_', ' - '][choice] ?? '';
        return choice < 3 ? character.toLowerCase() : character;
      }).join('');
      assert.deepEqual(parsePairingCode(typed), { status: 'read', value: code });
    }),
  );
});

test('every single wrong character and every two exchanged ones are noticed before anything is sent', () => {
  fc.assert(
    fc.property(codes, (code) => {
      const whole = Array.from(formatPairingCode(code).replace('-', ''));
      const isRead = (characters: readonly string[]): boolean => parsePairingCode(characters.join('')).status === 'read';
      for (const [at, right] of whole.entries()) {
        for (const wrong of alphabet) if (wrong !== right) assert.ok(!isRead(whole.with(at, wrong)));
        for (const [other, there] of whole.entries()) if (there !== right) assert.ok(!isRead(whole.with(at, there).with(other, right)));
      }
    }),
    { numRuns: 20 },
  );
});

test('random bytes make every code alike: each byte gives each character eight times', () => {
  const counts = new Map<string, number>();
  for (let byte = 0; byte < 256; byte += 1) {
    const [first = ''] = pairingCodeFrom(new Uint8Array(7).fill(byte));
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].sort().join(''), alphabet);
  assert.ok([...counts.values()].every((count) => count === 8));
});

test('what is no code is refused without repeating it, for it may nearly be one', () => {
  for (const typed of ['', 'ABCD', 'ABCD-EFGU', 'ABCD-EFG*', 'ABCDEFGHJ', 'x'.repeat(100_000), '\u0000'.repeat(8)]) {
    const read = parsePairingCode(typed);
    assert.ok(read.status === 'unreadable');
    assert.ok(typed.length < 4 || !read.detail.includes(typed) || typed === 'ABCD');
  }
});

const addresses: fc.Arbitrary<WindowAddress> = fc.record(
  {
    url: fc
      .tuple(fc.constantFrom('127.0.0.1', 'alpha.example', '[::1]', '[fe80::1]'), fc.integer({ min: 1, max: 65_535 }))
      .map(([host, port]) => `mqtts://${host}:${port}`),
    kind: fc.constantFrom('client' as const, 'box' as const),
    name: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/).filter((name) => !['device', 'peer', 'operator'].includes(name)),
  },
  { noNullPrototype: true },
);

test('an address is read back, with and without its scheme, with and without a code', () => {
  fc.assert(
    fc.property(addresses, codes, (address, code) => {
      const shown = formatWindowAddress(address);
      assert.deepEqual(parseWindowAddress(shown), { status: 'read', value: address });
      assert.deepEqual(parseWindowAddress(` ${shown.replace('mqtts://', '')}\n`), { status: 'read', value: address });
      assert.deepEqual(parseWindowAddress(formatInvitation(address, code)), { status: 'read', value: { ...address, code } });
    }),
  );
});

test('an address through another broker names the device behind it, and is of a box alone (§5.7)', () => {
  const typed = 'mqtts://broker.site:8883/alpha/box/render-1';
  const value = { url: 'mqtts://broker.site:8883', through: 'alpha', kind: 'box', name: 'render-1' } as const;
  assert.deepEqual(parseWindowAddress(typed), { status: 'read', value });
  assert.equal(formatWindowAddress(value), typed);
  assert.deepEqual(parseWindowAddress(formatInvitation(value, '0123456')), { status: 'read', value: { ...value, code: '0123456' } });
  for (const wrong of ['a:1/alpha/client/me', 'a:1/Alpha!/box/b', 'a:1//box/b', 'a:1/alpha/beta/box/b', 'a:1/+/box/b'])
    assert.equal(parseWindowAddress(wrong).status, 'unreadable', wrong);
});

test('what is no address is refused: another scheme, no port, no kind, a name that is none, a damaged code', () => {
  const wrong = ['', 'alpha', 'mqtt://a:1/box/b', 'mqtts://a/box/b', 'mqtts://a:0/box/b', 'mqtts://a:65536/box/b', 'mqtts://a:1/robot/b'];
  for (const typed of [
    ...wrong,
    'mqtts://a:1/box/B!',
    'mqtts://a:1/box/operator',
    'mqtts://a b:1/box/b',
    'a:1/box/b#ABCD-EFGH',
    'x'.repeat(9_999),
  ])
    assert.equal(parseWindowAddress(typed).status, 'unreadable', typed);
});

test('names that mean something else, and what can stand in no topic, are no names', () => {
  assert.equal(objectionToName('render-box-2'), undefined);
  for (const name of ['device', 'peer', 'operator', '', 'A', '-a', 'a-', 'a/b', '+', '#', '%u', 'a\n', 'é', 'a'.repeat(33), '..'])
    assert.notEqual(objectionToName(name), undefined, name);
});

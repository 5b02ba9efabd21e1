/** Digests with a purpose: domains and framing. Specification §2.5. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { blobDigest, domainDigest, domainPrefix, DOMAINS, hex } from '#protocol/digest.ts';

const parts = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 5 });

test('a digest is SHA-256 of the domain, a zero byte, and each part behind its length (§2.5)', () => {
  const input = Buffer.concat([Buffer.from('capstan/1/capsule\0'), Buffer.of(0, 0, 0, 2, 7, 8), Buffer.of(0, 0, 0, 0)]);
  assert.deepEqual(
    domainDigest('capsule', Uint8Array.of(7, 8), new Uint8Array()),
    new Uint8Array(createHash('sha256').update(input).digest()),
  );
});

test('no two lists of parts have one digest: neither moved borders nor empty parts (§2.5)', () => {
  fc.assert(
    fc.property(parts, parts, (left, right) => {
      const same = left.length === right.length && left.every((part, index) => hex(part) === hex(right[index]!));
      assert.equal(hex(domainDigest('capsule', ...left)) === hex(domainDigest('capsule', ...right)), same);
    }),
  );
  const one = Uint8Array.of(1);
  const lists = [
    [],
    [new Uint8Array()],
    [one],
    [one, new Uint8Array()],
    [new Uint8Array(), one],
    [one, one],
    [Uint8Array.of(1, 1)],
    [Uint8Array.of(0, 0, 0, 1, 1)],
    [Uint8Array.of(1, 0, 0, 0, 1, 1)],
  ];
  assert.equal(new Set(lists.map((list) => hex(domainDigest('capsule', ...list)))).size, lists.length);
});

test('no domain is twice in the list, and none is the front of another with its zero byte (§2.5)', () => {
  assert.equal(new Set(DOMAINS).size, DOMAINS.length);
  const prefixes = DOMAINS.map((domain) => hex(domainPrefix(domain)));
  for (const prefix of prefixes)
    assert.deepEqual(
      prefixes.filter((other) => other.startsWith(prefix)),
      [prefix],
    );
  for (const domain of DOMAINS) assert.match(domain, /^[a-z-]+$/);
});

test('the same parts have another digest in each domain, and none is that of a blob (§2.5)', () => {
  const part = Uint8Array.of(1, 2, 3);
  assert.equal(new Set([...DOMAINS.map((domain) => hex(domainDigest(domain, part))), hex(blobDigest(part))]).size, DOMAINS.length + 1);
});

test('no domain prefix begins like a structure that a TPM signs (§2.6)', () => {
  for (const domain of DOMAINS) assert.notEqual(hex(domainPrefix(domain)).slice(0, 8), 'ff544347');
});

test('the address of a blob is the digest of its bytes (§2.5)', () => {
  assert.equal(hex(blobDigest(new TextEncoder().encode('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

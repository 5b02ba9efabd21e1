/** The sample capsule: a path tracer whose picture is the same bytes on every run of the same Node. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32, inflateSync } from 'node:zlib';

const folder = fileURLToPath(new URL('../../scripts/sample/', import.meta.url));
const program = join(folder, 'path-tracer.js');

type Scene = {
  image: { width: number; height: number; samples: number; seed: number };
  shapes: Record<string, unknown>[];
  [name: string]: unknown;
};
type Drawing = {
  readonly status: number | null;
  readonly picture: Buffer | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly progress: string;
};

function smallScene(): Scene {
  const scene = JSON.parse(readFileSync(join(folder, 'scene.json'), 'utf8')) as Scene;
  return { ...scene, image: { ...scene.image, width: 32, height: 18, samples: 2 } };
}

function drawScene(scene: unknown, channel: 'pipe' | 'ignore' = 'pipe'): Drawing {
  const out = mkdtempSync(join(tmpdir(), 'capstan-sample-'));
  try {
    const file = join(out, 'scene.json');
    writeFileSync(file, JSON.stringify(scene));
    const environment = { CAPSTAN_OUT: join(out, 'out') };
    const { status, stdout, stderr, output } = spawnSync(process.execPath, [program, file], {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe', channel],
    });
    const picture = join(out, 'out/picture.png');
    return { status, stdout, stderr, progress: output[3] ?? '', picture: existsSync(picture) ? readFileSync(picture) : undefined };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

test('the same scene gives the same bytes, with and without a progress channel', () => {
  const first = drawScene(smallScene());
  const second = drawScene(smallScene(), 'ignore');
  assert.equal(first.status, 0, first.stderr);
  assert.deepEqual(first.picture, second.picture);
  assert.equal(first.stdout, second.stdout);
});

test('another seed, another shape and another number of samples give another picture', () => {
  const scene = smallScene();
  const pictures = [
    scene,
    { ...scene, image: { ...scene.image, seed: 2 } },
    { ...scene, image: { ...scene.image, samples: 3 } },
    { ...scene, shapes: scene.shapes.slice(0, -1) },
  ].map((one) => drawScene(one).picture?.toString('base64'));
  assert.equal(new Set(pictures).size, pictures.length);
});

test('the picture is a PNG of the size that the scene asks for, and not of one colour', () => {
  const chunks = readChunks(drawScene(smallScene()).picture ?? Buffer.alloc(0));
  assert.deepEqual(
    chunks.map(({ name }) => name),
    ['IHDR', 'IDAT', 'IEND'],
  );
  const [head, data] = chunks;
  assert.deepEqual(
    [head?.content.readUInt32BE(0), head?.content.readUInt32BE(4), ...(head?.content.subarray(8) ?? [])],
    [32, 18, 8, 2, 0, 0, 0],
  );
  const rows = inflateSync(data?.content ?? Buffer.alloc(0));
  assert.equal(rows.length, 18 * (1 + 32 * 3));
  assert.ok(new Set(rows).size > 64);
});

test('progress comes as lines of JSON that rise to 1', () => {
  const lines = drawScene(smallScene())
    .progress.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { progress: number; note: string });
  assert.deepEqual(lines.at(-1), { progress: 1, note: 'row 18 of 18' });
  assert.deepEqual(
    lines.map(({ progress }) => progress),
    lines.map(({ progress }) => progress).sort((a, b) => a - b),
  );
});

const mistakes: readonly (readonly [unknown, RegExp])[] = [
  ['a text', /the scene must be an object/],
  [{ ...smallScene(), image: { width: 0 } }, /image\.width is 0; a whole number from 1 to 4096 is needed/],
  [{ ...smallScene(), shapes: [{ kind: 'sphere', material: 'cheese' }] }, /shapes\[0\]\.material is "cheese"; the materials are /],
  [
    { ...smallScene(), shapes: [{ kind: 'sphere', material: 'red', center: [0, 1], radius: 1 }] },
    /shapes\[0\]\.center is \[0,1\]; three numbers are needed/,
  ],
  [
    { ...smallScene(), shapes: [{ kind: 'sphere', material: 'red', center: [0, 1, 0], radius: -1 }] },
    /shapes\[0\]\.radius is -1; a number above 0 is needed/,
  ],
  [
    { ...smallScene(), shapes: [{ kind: 'cone', material: 'red' }] },
    /shapes\[0\]\.kind is "cone"; sphere, plane, box, cylinder and ring are known/,
  ],
];

for (const [scene, message] of mistakes) {
  test(`a bad scene is refused with what would be right: ${message.source}`, () => {
    const { status, stderr, picture } = drawScene(scene);
    assert.match(stderr, message);
    assert.deepEqual([status, picture, stderr.trim().split('\n').length], [1, undefined, 1]);
  });
}

test('the manifest names files that are there, and the program imports nothing but Node', () => {
  const names = /^files: \[(.*)\]$/m.exec(readFileSync(join(folder, 'capsule.yaml'), 'utf8'))?.[1]?.split(', ') ?? [];
  assert.deepEqual(names, ['path-tracer.js', 'scene.json']);
  for (const name of names) assert.ok(existsSync(join(folder, name)), name);
  const imports = [...readFileSync(program, 'utf8').matchAll(/ from '([^']+)'/g)].map(([, from]) => from ?? '');
  assert.ok(imports.length > 0 && imports.every((from) => from.startsWith('node:')), imports.join());
});

function readChunks(png: Buffer): { name: string; content: Buffer }[] {
  assert.equal(png.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
  const chunks = [];
  for (let at = 8; at < png.length;) {
    const size = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + size);
    assert.equal(crc32(body), png.readUInt32BE(at + 8 + size), 'the check sum of a chunk');
    chunks.push({ name: body.toString('latin1', 0, 4), content: body.subarray(4) });
    at += 12 + size;
  }
  return chunks;
}

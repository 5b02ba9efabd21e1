/**
 * The sample capsule: a path tracer. Reads a scene, follows light through it and writes picture.png.
 *
 *   node path-tracer.js [scene.json]        into the folder CAPSTAN_OUT (default ./out), progress on CAPSTAN_PROGRESS (3)
 *
 * Boxes must agree on the picture byte for byte, so it computes with + - * / and sqrt only (IEEE 754 fixes their last
 * bit; it does not for sin or pow), draws from an integer generator seeded per pixel, and prints no times.
 */
import { createHash } from 'node:crypto';
import { fstatSync, mkdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { crc32, deflateSync } from 'node:zlib';

const limits = { width: 4096, height: 4096, samples: 4096, shapes: 1000, materials: 100 }; // what a box draws in minutes
const bounces = 8; // a longer path carries too little light to see
const sampleBrightnessMax = 6; // a rare bright path would be a dot of noise
const near = 1e-6;

class SceneRefused extends Error {}

function main(path) {
  try {
    const scene = readScene(path);
    const { pixels, rays } = draw(scene, reportProgress);
    const png = encodePng(scene.width, scene.height, pixels);
    const folder = process.env['CAPSTAN_OUT'] ?? './out';
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'picture.png'), png);
    const digest = createHash('sha256').update(png).digest('hex');
    console.log(
      `picture.png: ${scene.width} x ${scene.height}, ${scene.samples} samples, ${scene.shapes.length} shapes, ${rays} rays, ${png.length} bytes`,
    );
    console.log(`sha256 ${digest}`);
  } catch (error) {
    if (!(error instanceof SceneRefused)) throw error;
    console.error(`${path}: ${error.message}`);
    process.exitCode = 1;
  }
}

/** One line of JSON on the progress channel, when there is one; a reader that went away does not stop the picture. */
function reportProgress(progress, note) {
  const descriptor = Number(process.env['CAPSTAN_PROGRESS'] ?? 3);
  try {
    const status = fstatSync(descriptor); // without a channel, Node itself may use the number for something else
    if (status.isFIFO() || status.isSocket() || status.isFile()) writeSync(descriptor, `${JSON.stringify({ progress, note })}\n`);
  } catch {
    return;
  }
}

// The scene

function readScene(path) {
  const scene = parseJson(path);
  const names = Object.keys(object(scene.materials, 'materials', limits.materials));
  const materials = names.map((name) => readMaterial(scene.materials[name], `materials.${name}`));
  const shapes = list(scene.shapes, 'shapes', limits.shapes).map((shape, index) => readShape(shape, `shapes[${index}]`, names));
  const lights = list(scene.lights, 'lights', limits.shapes).map((light, index) => {
    materials.push({ kind: 'light', color: vector(light.light, `lights[${index}].light`) });
    return compileShape(
      { kind: 'sphere', center: vector(light.center, `lights[${index}].center`), radius: above(light.radius, `lights[${index}].radius`) },
      materials.length - 1,
    );
  });
  const image = object(scene.image, 'image', 10);
  return {
    width: whole(image.width, 'image.width', limits.width),
    height: whole(image.height, 'image.height', limits.height),
    samples: whole(image.samples, 'image.samples', limits.samples),
    seed: whole(image.seed, 'image.seed', 0xffffffff),
    exposure: above(image.exposure ?? 1, 'image.exposure'),
    camera: readCamera(object(scene.camera, 'camera', 10)),
    sky: { horizon: vector(scene.sky?.horizon, 'sky.horizon'), zenith: vector(scene.sky?.zenith, 'sky.zenith') },
    materials,
    shapes: [...shapes, ...lights],
    lights,
  };
}

function parseJson(path) {
  try {
    return object(JSON.parse(readFileSync(path, 'utf8')), 'the scene', 20);
  } catch (error) {
    throw new SceneRefused(
      error.code === 'ENOENT' ? 'there is no such file; a scene file is needed' : `this is no scene in JSON: ${error.message}`,
    );
  }
}

function readCamera(camera) {
  const from = vector(camera.from, 'camera.from');
  const ahead = unit(minus(vector(camera.at, 'camera.at'), from));
  const right = unit(cross(ahead, [0, 1, 0]));
  return { from, ahead, right, up: cross(right, ahead), focal: above(camera.focal, 'camera.focal') };
}

function readMaterial(material, where) {
  const { kind } = object(material, where, 10);
  const color = vector(material.color, `${where}.color`);
  if (kind === 'diffuse')
    return { kind, color, gloss: share(material.gloss ?? 0, `${where}.gloss`), planks: share(material.planks ?? 0, `${where}.planks`) };
  if (kind === 'metal') return { kind, color, roughness: share(material.roughness ?? 0, `${where}.roughness`) };
  if (kind === 'glass') return { kind, color, index: above(material.index ?? 1.5, `${where}.index`) };
  throw new SceneRefused(`${where}.kind is ${JSON.stringify(kind)}; diffuse, metal and glass are known`);
}

function readShape(shape, where, names) {
  const { kind, material } = object(shape, where, 10);
  const index = names.indexOf(material);
  if (index < 0) throw new SceneRefused(`${where}.material is ${JSON.stringify(material)}; the materials are ${names.join(', ')}`);
  const point = (name) => vector(shape[name], `${where}.${name}`);
  const size = (name) => above(shape[name], `${where}.${name}`);
  if (kind === 'sphere') return compileShape({ kind, center: point('center'), radius: size('radius') }, index);
  if (kind === 'plane') return compileShape({ kind, height: number(shape.height, `${where}.height`) }, index);
  if (kind === 'box') return compileShape({ kind, from: point('from'), to: point('to') }, index);
  if (kind === 'cylinder') return compileShape({ kind, from: point('from'), to: point('to'), radius: size('radius') }, index);
  if (kind === 'ring')
    return compileShape(
      { kind, center: point('center'), axis: point('axis'), radius: size('radius'), thickness: size('thickness') },
      index,
    );
  throw new SceneRefused(`${where}.kind is ${JSON.stringify(kind)}; sphere, plane, box, cylinder and ring are known`);
}

function number(value, where) {
  if (typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 1e6) return value;
  throw new SceneRefused(`${where} is ${JSON.stringify(value)}; a number between -1000000 and 1000000 is needed`);
}

function above(value, where) {
  if (number(value, where) > 0) return value;
  throw new SceneRefused(`${where} is ${value}; a number above 0 is needed`);
}

function share(value, where) {
  if (number(value, where) >= 0 && value <= 1) return value;
  throw new SceneRefused(`${where} is ${value}; a number from 0 to 1 is needed`);
}

function whole(value, where, max) {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new SceneRefused(`${where} is ${JSON.stringify(value)}; a whole number from 1 to ${max} is needed`);
}

function vector(value, where) {
  if (Array.isArray(value) && value.length === 3) return value.map((part, index) => number(part, `${where}[${index}]`));
  throw new SceneRefused(`${where} is ${JSON.stringify(value)}; three numbers are needed, as [0, 1, 0]`);
}

function list(value, where, max) {
  if (Array.isArray(value) && value.length <= max) return value;
  throw new SceneRefused(`${where} must be a list of at most ${max} entries`);
}

function object(value, where, max) {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length <= max) return value;
  throw new SceneRefused(`${where} must be an object of at most ${max} entries`);
}

// Vectors, for what is not done a million times

function minus(a, b) {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function length(a) {
  return Math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
}

function unit(a) {
  const size = length(a);
  if (size === 0) throw new SceneRefused('two points that give a direction are the same; they must differ');
  return a.map((part) => part / size);
}

// Shapes: each has a bounding sphere (cx, cy, cz, reach) and numbers of its kind (n)

const ray = new Float64Array(6); // origin, unit direction
const normal = new Float64Array(3);
const ringSteps = 64; // of the march along a ray; what takes more only grazes the ring
const ringTouch = 1e-4;
const lift = 5e-4; // how far a new ray starts above the surface that it leaves

function compileShape(shape, material) {
  const bounded = ([cx, cy, cz], reach, ...n) => ({ kind: shape.kind, material, cx, cy, cz, reach, n: Float64Array.from(n) });
  if (shape.kind === 'sphere') return bounded(shape.center, shape.radius, shape.radius);
  if (shape.kind === 'plane') return bounded([0, 0, 0], Infinity, shape.height);
  const half = (a, b) => a.map((part, index) => (part + b[index]) / 2);
  if (shape.kind === 'box') {
    return bounded(
      half(shape.from, shape.to),
      length(minus(shape.from, shape.to)) / 2,
      ...shape.from.map((part, i) => Math.min(part, shape.to[i])),
      ...shape.from.map((part, i) => Math.max(part, shape.to[i])),
    );
  }
  if (shape.kind === 'ring')
    return bounded(shape.center, shape.radius + shape.thickness, ...unit(shape.axis), shape.radius, shape.thickness);
  const span = minus(shape.to, shape.from);
  const reach = Math.sqrt((length(span) / 2) ** 2 + shape.radius * shape.radius);
  return bounded(half(shape.from, shape.to), reach, ...shape.from, ...unit(span), length(span), shape.radius);
}

/** The distance along the ray at which it meets the shape first, below `limit`; Infinity when it does not. */
function meet(shape, limit) {
  const x = ray[0] - shape.cx,
    y = ray[1] - shape.cy,
    z = ray[2] - shape.cz;
  const b = x * ray[3] + y * ray[4] + z * ray[5];
  if (shape.reach === Infinity) return meetPlane(shape.n[0]);
  const square = b * b - (x * x + y * y + z * z) + shape.reach * shape.reach;
  if (square < 0) return Infinity;
  const root = Math.sqrt(square);
  if (root - b < near || -b - root > limit) return Infinity;
  if (shape.kind === 'sphere') return -b - root > near ? -b - root : root - b;
  if (shape.kind === 'cylinder') return meetCylinder(shape.n);
  if (shape.kind === 'box') return meetBox(shape.n);
  return meetRing(shape.n, x, y, z, Math.max(0, -b - root), Math.min(limit, root - b));
}

function meetPlane(height) {
  const at = (height - ray[1]) / ray[4];
  return at > near ? at : Infinity;
}

function meetBox(n) {
  let enter = -Infinity,
    leave = Infinity;
  for (let axis = 0; axis < 3; axis += 1) {
    const a = (n[axis] - ray[axis]) / ray[3 + axis],
      b = (n[3 + axis] - ray[axis]) / ray[3 + axis];
    enter = Math.max(enter, Math.min(a, b));
    leave = Math.min(leave, Math.max(a, b));
  }
  if (enter > leave) return Infinity;
  return enter > near ? enter : leave > near ? leave : Infinity;
}

function meetCylinder(n) {
  const x = ray[0] - n[0],
    y = ray[1] - n[1],
    z = ray[2] - n[2];
  const along = x * n[3] + y * n[4] + z * n[5],
    rise = ray[3] * n[3] + ray[4] * n[4] + ray[5] * n[5];
  const a = 1 - rise * rise;
  const b = x * ray[3] + y * ray[4] + z * ray[5] - along * rise;
  const c = x * x + y * y + z * z - along * along - n[7] * n[7];
  const square = b * b - a * c;
  if (square < 0) return Infinity;
  const root = Math.sqrt(square);
  const first = (-b - root) / a,
    last = (root - b) / a;
  const capA = -along / rise,
    capB = (n[6] - along) / rise;
  const enter = Math.max(first, Math.min(capA, capB)),
    leave = Math.min(last, Math.max(capA, capB));
  if (!(enter <= leave)) return Infinity;
  return enter > near ? enter : leave > near ? leave : Infinity;
}

/** Marches by the distance to the ring (a torus), within the slab that holds it. */
function meetRing(n, x, y, z, from, to) {
  const high = x * n[0] + y * n[1] + z * n[2],
    rise = ray[3] * n[0] + ray[4] * n[1] + ray[5] * n[2];
  const a = (-n[4] - high) / rise,
    b = (n[4] - high) / rise;
  const end = Math.min(to, Math.max(a, b));
  let at = Math.max(from, Math.min(a, b));
  for (let step = 0; step < ringSteps && at < end; step += 1) {
    const px = x + at * ray[3],
      py = y + at * ray[4],
      pz = z + at * ray[5];
    const h = high + at * rise;
    const out = Math.sqrt(Math.max(0, px * px + py * py + pz * pz - h * h)) - n[3];
    const gap = Math.sqrt(out * out + h * h) - n[4];
    if (gap < ringTouch) return at > near ? at : Infinity;
    at += gap;
  }
  return Infinity;
}

/** Writes the outward normal at a point of the surface into `normal`. */
function face(shape, px, py, pz) {
  const { kind, n } = shape;
  if (kind === 'plane') return setNormal(0, 1, 0);
  const x = px - shape.cx,
    y = py - shape.cy,
    z = pz - shape.cz;
  if (kind === 'sphere') return setNormal(x, y, z);
  if (kind === 'box') return faceBox(n, x, y, z);
  if (kind === 'ring') {
    const h = x * n[0] + y * n[1] + z * n[2];
    const ox = x - h * n[0],
      oy = y - h * n[1],
      oz = z - h * n[2];
    const scale = n[3] / Math.sqrt(ox * ox + oy * oy + oz * oz);
    return setNormal(x - ox * scale, y - oy * scale, z - oz * scale);
  }
  const h = (px - n[0]) * n[3] + (py - n[1]) * n[4] + (pz - n[2]) * n[5];
  if (h < near * 10) return setNormal(-n[3], -n[4], -n[5]);
  if (h > n[6] - near * 10) return setNormal(n[3], n[4], n[5]);
  return setNormal(px - n[0] - h * n[3], py - n[1] - h * n[4], pz - n[2] - h * n[5]);
}

function faceBox(n, x, y, z) {
  const a = Math.abs(x) / (n[3] - n[0]),
    b = Math.abs(y) / (n[4] - n[1]),
    c = Math.abs(z) / (n[5] - n[2]);
  if (a >= b && a >= c) return setNormal(x, 0, 0);
  return b >= c ? setNormal(0, y, 0) : setNormal(0, 0, z);
}

function setNormal(x, y, z) {
  const size = Math.sqrt(x * x + y * y + z * z);
  normal[0] = x / size;
  normal[1] = y / size;
  normal[2] = z / size;
}

// Chance: one 32-bit state, seeded per pixel, so that a pixel does not depend on the order of drawing

let state = 0;

function seedPixel(seed, index) {
  state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0;
  chance();
}

function chance() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
}

const ball = new Float64Array(3);

/** A point of the unit ball into `ball`, by drawing until one lies inside: no sine is needed. */
function drawBall() {
  do {
    for (let axis = 0; axis < 3; axis += 1) ball[axis] = 2 * chance() - 1;
  } while (ball[0] * ball[0] + ball[1] * ball[1] + ball[2] * ball[2] > 1);
}

// Light

const light = new Float64Array(3); // gathered by the path
const tint = new Float64Array(3); // what the path still carries
let rays = 0;
let met; // the shape that the last ray met

function nearest(scene) {
  rays += 1;
  let limit = Infinity;
  met = undefined;
  for (const shape of scene.shapes) {
    const at = meet(shape, limit);
    if (at < limit) {
      limit = at;
      met = shape;
    }
  }
  return limit;
}

/** Follows one path from the ray on and leaves what it brings in `light`. */
function follow(scene) {
  light.fill(0);
  tint.fill(1);
  for (let bounce = 0, seesLights = true; bounce < bounces; bounce += 1) {
    const at = nearest(scene);
    if (met === undefined) return gatherSky(scene.sky);
    const material = scene.materials[met.material];
    if (material.kind === 'light') return seesLights ? gather(material.color, 1) : undefined;
    const px = ray[0] + at * ray[3],
      py = ray[1] + at * ray[4],
      pz = ray[2] + at * ray[5];
    face(met, px, py, pz);
    const facing = normal[0] * ray[3] + normal[1] * ray[4] + normal[2] * ray[5];
    if (material.kind === 'glass') passGlass(material, px, py, pz, facing);
    else {
      if (facing > 0) for (let axis = 0; axis < 3; axis += 1) normal[axis] = -normal[axis];
      const mirrored = material.kind === 'metal' || chance() < material.gloss * schlick(0.04, Math.abs(facing));
      if (mirrored) mirror(material, px, py, pz, -Math.abs(facing));
      else scatter(scene, material, px, py, pz);
      seesLights &&= mirrored; // a diffuse surface has asked the lights itself
    }
    if (bounce > 2 && !survives()) return undefined;
  }
  return undefined;
}

function gather(color, share) {
  for (let axis = 0; axis < 3; axis += 1) light[axis] += tint[axis] * color[axis] * share;
}

function gatherSky({ horizon, zenith }) {
  const rise = Math.sqrt(Math.max(0, ray[4]));
  for (let axis = 0; axis < 3; axis += 1) light[axis] += tint[axis] * (horizon[axis] + (zenith[axis] - horizon[axis]) * rise);
}

/** Ends paths that carry little, and lets those that go on carry more: the mean stays. */
function survives() {
  const keep = Math.min(1, Math.max(tint[0], tint[1], tint[2]));
  if (chance() >= keep) return false;
  for (let axis = 0; axis < 3; axis += 1) tint[axis] /= keep;
  return true;
}

/** The share of light that a smooth surface mirrors (Schlick 1994), for a share `straight` at a right angle. */
function schlick(straight, facing) {
  const rest = 1 - facing;
  return straight + (1 - straight) * rest * rest * rest * rest * rest;
}

function leave(px, py, pz, dx, dy, dz, side) {
  const size = Math.sqrt(dx * dx + dy * dy + dz * dz);
  ray[0] = px + normal[0] * lift * side;
  ray[1] = py + normal[1] * lift * side;
  ray[2] = pz + normal[2] * lift * side;
  ray[3] = dx / size;
  ray[4] = dy / size;
  ray[5] = dz / size;
}

function mirror(material, px, py, pz, facing) {
  const blur = material.roughness ?? 0;
  if (blur > 0) drawBall();
  else ball.fill(0);
  const part = (axis) => ray[3 + axis] - 2 * facing * normal[axis] + blur * ball[axis];
  const dx = part(0),
    dy = part(1),
    dz = part(2);
  if (material.kind === 'metal') for (let axis = 0; axis < 3; axis += 1) tint[axis] *= schlick(material.color[axis], -facing);
  leave(px, py, pz, dx, dy, dz, 1);
}

function passGlass({ index, color }, px, py, pz, facing) {
  const side = facing < 0 ? 1 : -1; // 1 when it enters
  const ratio = side > 0 ? 1 / index : index;
  const cosine = Math.abs(facing);
  const square = 1 - ratio * ratio * (1 - cosine * cosine);
  const straight = ((1 - index) / (1 + index)) * ((1 - index) / (1 + index));
  if (square < 0 || chance() < schlick(straight, side > 0 ? cosine : Math.sqrt(square))) {
    return leave(px, py, pz, ray[3] - 2 * facing * normal[0], ray[4] - 2 * facing * normal[1], ray[5] - 2 * facing * normal[2], side);
  }
  for (let axis = 0; axis < 3; axis += 1) tint[axis] *= color[axis];
  const bend = side * (ratio * cosine - Math.sqrt(square));
  return leave(px, py, pz, ratio * ray[3] + bend * normal[0], ratio * ray[4] + bend * normal[1], ratio * ray[5] + bend * normal[2], -side);
}

function scatter(scene, material, px, py, pz) {
  const shade = material.planks > 0 ? plank(px, pz, material.planks) : 1;
  for (let axis = 0; axis < 3; axis += 1) tint[axis] *= material.color[axis] * shade;
  const nx = normal[0],
    ny = normal[1],
    nz = normal[2];
  for (const lamp of scene.lights) askLight(scene, lamp, px, py, pz);
  setNormal(nx, ny, nz);
  drawBall();
  const size = Math.sqrt(ball[0] * ball[0] + ball[1] * ball[1] + ball[2] * ball[2]) + near;
  leave(px, py, pz, nx + ball[0] / size, ny + ball[1] / size, nz + ball[2] / size, 1);
}

/** Boards a plank wide with dark seams, each a little lighter or darker than its neighbour. */
function plank(x, z, width) {
  const row = Math.floor(x / width);
  const seam = x / width - row;
  const board = Math.floor(z / (width * 7) + (row & 3) / 4);
  const tone = (Math.imul(Math.imul(row, 0x9e3779b1) ^ board, 0x85ebca6b) >>> 24) / 255;
  return seam < 0.035 ? 0.25 : 0.75 + 0.25 * tone;
}

/** Adds what one lamp sends straight here: a draw from the cone in which the lamp stands. */
function askLight(scene, lamp, px, py, pz) {
  const x = lamp.cx - px,
    y = lamp.cy - py,
    z = lamp.cz - pz;
  const far = x * x + y * y + z * z,
    away = Math.sqrt(far);
  const edge = Math.sqrt(Math.max(0, 1 - (lamp.reach * lamp.reach) / far));
  let u, v, square;
  do {
    u = 2 * chance() - 1;
    v = 2 * chance() - 1;
    square = u * u + v * v;
  } while (square > 1 || square === 0);
  const ahead = 1 - square * (1 - edge),
    aside = Math.sqrt((1 - ahead * ahead) / square);
  const wx = x / away,
    wy = y / away,
    wz = z / away;
  const [ax, ay, az] = Math.abs(wy) < 0.9 ? [-wz, 0, wx] : [0, wz, -wy];
  const size = Math.sqrt(ax * ax + ay * ay + az * az);
  const tx = ax / size,
    ty = ay / size,
    tz = az / size;
  const across = (a, b, c) => a * ahead + aside * (u * b + v * c);
  const dx = across(wx, tx, wy * tz - wz * ty),
    dy = across(wy, ty, wz * tx - wx * tz),
    dz = across(wz, tz, wx * ty - wy * tx);
  const facing = dx * normal[0] + dy * normal[1] + dz * normal[2];
  if (facing <= 0) return;
  leave(px, py, pz, dx, dy, dz, 1);
  const passed = passage(scene, lamp, away - lamp.reach - lift);
  gather(scene.materials[lamp.material].color, 2 * (1 - edge) * facing * passed);
}

/** The share of light that comes through to the lamp: glass lets most of it pass, all else none. */
function passage(scene, lamp, limit) {
  rays += 1;
  let share = 1;
  for (const shape of scene.shapes) {
    if (shape === lamp || meet(shape, limit) >= limit) continue;
    if (scene.materials[shape.material].kind !== 'glass') return 0;
    share *= 0.8;
  }
  return share;
}

// The picture

function draw(scene, report) {
  const { width, height, samples } = scene;
  const pixels = new Uint8Array(width * height * 3);
  const sum = new Float64Array(3);
  for (let y = 0, told = -1; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      sum.fill(0);
      seedPixel(scene.seed, y * width + x);
      for (let sample = 0; sample < samples; sample += 1) {
        aim(scene, x + chance(), y + (sample + chance()) / samples);
        follow(scene);
        for (let axis = 0; axis < 3; axis += 1) sum[axis] += Math.min(sampleBrightnessMax, light[axis]);
      }
      for (let axis = 0; axis < 3; axis += 1) pixels[(y * width + x) * 3 + axis] = develop((sum[axis] / samples) * scene.exposure);
    }
    const hundredth = Math.floor(((y + 1) * 100) / height);
    if (hundredth !== told) report((y + 1) / height, `row ${y + 1} of ${height}`);
    told = hundredth;
  }
  return { pixels, rays };
}

function aim({ camera, width, height }, x, y) {
  const aside = (x - width / 2) / height,
    above = (height / 2 - y) / height;
  const part = (axis) => camera.ahead[axis] * camera.focal + camera.right[axis] * aside + camera.up[axis] * above;
  ray.set(camera.from);
  const dx = part(0),
    dy = part(1),
    dz = part(2);
  const size = Math.sqrt(dx * dx + dy * dy + dz * dz);
  ray[3] = dx / size;
  ray[4] = dy / size;
  ray[5] = dz / size;
}

/** Brightness to a byte: a film-like shoulder, then the sRGB curve by three square roots (a fit within half a step). */
function develop(value) {
  const film = (value * (2.51 * value + 0.03)) / (value * (2.43 * value + 0.59) + 0.14);
  const a = Math.sqrt(Math.min(1, film)),
    b = Math.sqrt(a),
    c = Math.sqrt(b);
  const curve = 0.662002687 * a + 0.68412206 * b - 0.323583601 * c - 0.022541147 * Math.min(1, film);
  return Math.max(0, Math.min(255, Math.round(curve * 255)));
}

/** PNG, 8-bit RGB, each row as its difference to the one above (W3C PNG section 9.2, filter 2). */
function encodePng(width, height, pixels) {
  const stride = width * 3;
  const rows = Buffer.alloc((stride + 1) * height);
  for (let y = 0; y < height; y += 1) {
    rows[y * (stride + 1)] = 2;
    for (let x = 0; x < stride; x += 1)
      rows[y * (stride + 1) + 1 + x] = pixels[y * stride + x] - (y > 0 ? pixels[(y - 1) * stride + x] : 0);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(name, content) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const [size, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  size.writeUInt32BE(content.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([size, body, check]);
}

main(process.argv[2] ?? 'scene.json');

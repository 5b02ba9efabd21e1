/**
 * Fields of a Redfish resource, which holds many more than are looked at: absent and null are the same (DSP0266), a wrong
 * type is refused with its place. Pure. Specification §16.5.
 */

export type Resource = Readonly<Record<string, unknown>>;

/** The message says where, what was and what would be right. */
export class WrongResource extends Error {}

const TEXT_CHARACTERS_MAX = 256;
const LIST_ITEMS_MAX = 1_024;
const PATH_CHARACTERS_MAX = 512;
const SHOWN_CHARACTERS_MAX = 64;

/** @throws WrongResource */
export function resourceOf(raw: unknown, at: string): Resource {
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) return raw as Resource;
  throw wrong(at, raw, 'an object');
}

export function field(resource: Resource, key: string): unknown {
  return Object.hasOwn(resource, key) ? (resource[key] ?? undefined) : undefined;
}

export function resourceField(resource: Resource, key: string): Resource | undefined {
  const raw = field(resource, key);
  return raw === undefined ? undefined : resourceOf(raw, key);
}

export function textField(resource: Resource, key: string): string | undefined {
  const raw = field(resource, key);
  if (raw === undefined) return undefined;
  if (typeof raw === 'string' && raw.length <= TEXT_CHARACTERS_MAX) return raw;
  throw wrong(key, raw, `text of at most ${TEXT_CHARACTERS_MAX} characters`);
}

export function numberField(resource: Resource, key: string): number | undefined {
  const raw = field(resource, key);
  if (raw === undefined || (typeof raw === 'number' && Number.isFinite(raw))) return raw;
  throw wrong(key, raw, 'a number');
}

export function listField(resource: Resource, key: string): readonly Resource[] {
  return itemsOf(resource, key).map((item, index) => resourceOf(item, `${key}[${index}]`));
}

export function wordsField(resource: Resource, key: string): readonly string[] | undefined {
  if (field(resource, key) === undefined) return undefined;
  return itemsOf(resource, key).map((item, index) => {
    if (typeof item === 'string' && item.length <= TEXT_CHARACTERS_MAX) return item;
    throw wrong(`${key}[${index}]`, item, 'a word');
  });
}

/** The path that a link or an action leads to: of this service, below /redfish/v1. */
export function pathField(resource: Resource, key: string): string | undefined {
  const raw = textField(resource, key);
  return raw === undefined ? undefined : requirePath(raw, key);
}

/** @throws WrongResource */
export function requirePath(raw: string, at: string): string {
  const segments = raw.split('?', 1)[0]?.split('/') ?? [];
  if (
    raw.length <= PATH_CHARACTERS_MAX &&
    /^\/redfish\/v1(\/[\w.~%!$&'()*+,;=:@-]*)*(\?[\w.~%!$&()*+,;=:@/?-]+)?$/.test(raw) &&
    !segments.some((segment) => /^(\.|%2e){1,2}$/i.test(segment))
  )
    return raw;
  throw wrong(at, raw, 'a path of this service that begins with /redfish/v1');
}

/** Where `key` links to: `{ "@odata.id": … }`. */
export function linkField(resource: Resource, key: string): string | undefined {
  const link = resourceField(resource, key);
  return link && pathField(link, '@odata.id');
}

function itemsOf(resource: Resource, key: string): readonly unknown[] {
  const raw = field(resource, key) ?? [];
  if (Array.isArray(raw) && raw.length <= LIST_ITEMS_MAX) return raw;
  throw wrong(key, raw, `a list of at most ${LIST_ITEMS_MAX} items`);
}

function wrong(at: string, raw: unknown, right: string): WrongResource {
  const shown = JSON.stringify(raw).slice(0, SHOWN_CHARACTERS_MAX);
  return new WrongResource(`${at} is ${shown}; it must be ${right}`);
}

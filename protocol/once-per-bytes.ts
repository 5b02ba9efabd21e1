/** What follows from bytes that came or were made, and that nobody changes: computed once for as long as somebody holds them. Pure. */

/** @param compute a function of the content alone */
export function oncePerBytes<T>(compute: (bytes: Uint8Array) => T): (bytes: Uint8Array) => T {
  const known = new WeakMap<Uint8Array, { readonly result: T }>();
  return (bytes) => {
    const before = known.get(bytes);
    if (before) return before.result;
    const result = compute(bytes);
    known.set(bytes, { result });
    return result;
  };
}

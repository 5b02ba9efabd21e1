/** Collections that forget what is oldest when they are full: what a peer says may fill them, and no more. Pure. */

/** Adds to the end; what was there already stays where it was. */
export function remember<K>(set: Set<K>, key: K, max: number): void {
  set.add(key);
  for (const oldest of set) {
    if (set.size <= max) return;
    set.delete(oldest);
  }
}

/** @returns the entries that had to go */
export function keepLatest<K, V>(map: Map<K, V>, max: number): [K, V][] {
  const gone: [K, V][] = [];
  for (const entry of map) {
    if (map.size <= max) break;
    map.delete(entry[0]);
    gone.push(entry);
  }
  return gone;
}

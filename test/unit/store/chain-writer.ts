/** Writes to a chain store without end, and says each height when it is stored: for a test that kills it. */
import { openChainStore } from '../../../device/store/chain-store.ts';
import { blockOn, digest, taken, voted } from './chain-records.ts';

const store = openChainStore(String(process.argv[2]), () => undefined);
let height = store.load().ownHeight;
let parent = digest('genesis', height);
for (;;) {
  height += 1;
  const block = blockOn(parent, height);
  store.persist([taken(block, true), voted(height)]);
  process.stdout.write(`${height}\n`);
  parent = block.id;
  if (height % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
}

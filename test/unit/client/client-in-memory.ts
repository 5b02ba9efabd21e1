/** A client and its device in this process, for the tests of one subject: opened anew for each. */
import { capsuleInMemory } from '../../../scripts/client/capsule-in-memory.ts';
import { connectClient, type Client } from '../../../scripts/client/client.ts';
import { FakeDevice, parties } from './fake-device.ts';
import { MemoryBroker } from './memory-broker.ts';

/** So short that silence is soon over. */
const times = { repeatMs: 20, answerWaitMs: 2_000, watchQueryMs: 40, statusWaitMs: 10 };

export interface InMemory {
  readonly device: FakeDevice;
  readonly client: Client;
  /** A capsule of one file. */
  submit(): ReturnType<Client['submit']>;
  close(): Promise<void>;
}

export async function openInMemory(): Promise<InMemory> {
  const broker = new MemoryBroker();
  const device = new FakeDevice(broker.connect());
  const client = await connectClient({ ...parties, connection: broker.connect(), address: 'mqtts://memory', times });
  const capsule = capsuleInMemory({ capsule: 1, runtime: 'node', entry: 'main.js' }, { 'main.js': new TextEncoder().encode('x') }, 0);
  return {
    device,
    client,
    submit: () => client.submit(capsule),
    close: async () => {
      device.stop();
      await client.close();
    },
  };
}

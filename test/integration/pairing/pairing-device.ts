/** A device as far as pairing needs one, as a process of its own that a test can kill. Arguments: its state folder, its TPM. */
import { startPairingDevice } from './pairing-bench.ts';

const [, , folder = '', tcti = ''] = process.argv;
await startPairingDevice(folder, tcti, ({ event }) => void process.stdout.write(`${event}\n`));
process.stdout.write('ready\n');

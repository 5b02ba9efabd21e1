/** Pairing from here: over a connection to the device's pairing broker, into a folder. */
import { parseWindowAddress, type HolderKind } from '#protocol/pairing-code.ts';
import { connect } from '../../device/mqtt/connection.ts';
import { openWindow } from '../../device/pairing/open-window.ts';
import { pairHolder, type Invitation, type PairedHolder } from '../../hpc-agent/pairing.ts';

/** @throws PairingFailed */
export function pairInto(invitation: Invitation): Promise<PairedHolder> {
  return pairHolder(invitation, connect);
}

/**
 * Both ends on one machine: opens the window and uses it.
 * @param interrupted closes it
 * @throws WindowNotOpened @throws PairingFailed
 */
export async function pairHere(
  deviceFolder: string,
  kind: HolderKind,
  name: string,
  folder: string,
  interrupted?: AbortSignal,
): Promise<PairedHolder> {
  const window = await openWindow(deviceFolder, { kind, name }, interrupted);
  interrupted?.addEventListener('abort', () => window.withdraw());
  try {
    if (interrupted?.aborted) window.withdraw();
    const address = parseWindowAddress(window.address);
    if (address.status === 'unreadable') throw new Error(`the device names the address ${window.address}: ${address.detail}`);
    return await pairInto({ address: address.value, code: window.code, folder });
  } finally {
    window.withdraw();
  }
}

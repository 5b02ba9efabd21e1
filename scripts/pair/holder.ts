/** Pairing from here: over a connection to the device's pairing broker, into a folder. */
import { parseWindowAddress, type HolderKind } from '#protocol/pairing-code.ts';
import { connect } from '../../device/mqtt/connection.ts';
import { openWindow } from '../../device/pairing/open-window.ts';
import { otherAddress } from '../../hpc-agent/other-broker.ts';
import { pairHolder, type Invitation, type PairedHolder } from '../../hpc-agent/pairing.ts';
import { openRelayStream } from '../../hpc-agent/relay-stream.ts';

/** @throws PairingFailed @throws OtherBrokerUnknown */
export async function pairInto(invitation: Invitation): Promise<PairedHolder> {
  const { through } = invitation;
  if (!through) return pairHolder(invitation, connect);
  const way = { other: await otherAddress(through, process.cwd()), device: through.name };
  return pairHolder(invitation, (address, options) => connect({ ...address, over: () => openRelayStream(way, 'pairing') }, options));
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

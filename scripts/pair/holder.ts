/** Pairing from here: over a connection to the device's pairing broker, into a folder. */
import { pairHolder, type PairedHolder } from '../../hpc-agent/pairing.ts';
import type { Invitation } from '#protocol/pairing.ts';
import { connect } from '../../device/mqtt/connection.ts';

/** @throws PairingFailed */
export function pairInto(folder: string, invitation: Invitation): Promise<PairedHolder> {
  return pairHolder(invitation, folder, connect);
}

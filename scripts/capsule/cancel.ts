/** `capsule cancel`: asks the device to stop a capsule and waits until it has ended. */
import { commandOf } from '../arguments.ts';
import { chooseCapsule } from './chosen-capsule.ts';
import { endingText } from './ending.ts';
import { clientOption, defaultState, deviceOption, jsonOption, stateOption } from './options.ts';
import { withSession } from './session.ts';
import { openView } from './view.ts';

export const cancel = commandOf(
  {
    name: 'cancel',
    summary: 'Stops a capsule, whether it waits or runs.',
    operands: ['ID'],
    options: { device: deviceOption, client: clientOption, state: stateOption, json: jsonOption },
    notes: 'Exit status: 0 when the capsule is cancelled; 1 when it had ended in another way before.',
  },
  async ({ operands: [id = ''], options }) => {
    const state = options.state ?? defaultState;
    const { capsule, profile } = await chooseCapsule(state, id, options);
    return withSession(state, profile, async ({ client }) => {
      await client.cancel(capsule);
      const ended = await client.result(capsule);
      openView(options.json).tell(endingText(ended), { event: 'ended', capsule, state: ended.state });
      return ended.state === 'cancelled' ? 0 : 1;
    });
  },
);

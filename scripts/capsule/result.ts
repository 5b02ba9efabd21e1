/** `capsule result`: fetches what a capsule left, waiting for its end where it still runs. */
import { commandOf } from '../arguments.ts';
import { chooseCapsule } from './chosen-capsule.ts';
import { finish } from './finish.ts';
import { follow } from './follow.ts';
import { clientOption, defaultState, deviceOption, jsonOption, stateOption } from './options.ts';
import { withSession } from './session.ts';
import { openView } from './view.ts';

export const result = commandOf(
  {
    name: 'result',
    summary: 'Fetches the outputs, the log and the receipt of a capsule; waits for its end.',
    operands: ['ID'],
    options: {
      out: { value: 'DIR', help: 'a new or empty folder (default: DIR of --state, capsules/<id>)' },
      device: deviceOption,
      client: clientOption,
      state: stateOption,
      json: jsonOption,
    },
    notes: 'What an earlier call has fetched in part is completed. Exit status as of submit.',
  },
  async ({ operands: [id = ''], options }) => {
    const state = options.state ?? defaultState;
    const { capsule, profile } = await chooseCapsule(state, id, options);
    const view = openView(options.json);
    return withSession(state, profile, async (session) => {
      const followed = await follow({ client: session.client, capsule, view, show: ({ news }) => news !== 'log' && news !== 'missed' });
      return followed.status === 'ended' ? finish(session, followed.result, state, options.out, view) : interruptedStatus;
    });
  },
);

const interruptedStatus = 130; // as shells have it: 128 + SIGINT

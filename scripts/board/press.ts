/** `npm run board -- press BOARD BUTTON`: what a hand at the box would do, with the same precautions as the device. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoardDefinition } from '../../device/board/definition.ts';
import type { PowerState } from '../../device/board/ports.ts';
import type { PressVerb } from '../../device/board/press.ts';
import { commandOf, nearestAdvice, UsageError } from '../arguments.ts';
import { BoardFailure, chosenBoard, withBoard, wiresOption } from './opened-board.ts';

const buttons = ['power', 'reset'];
/** Within this long a mainboard has lit or darkened its LED; a system that ends takes longer. */
const followMs = 3_000;

export const press = commandOf(
  {
    name: 'press',
    summary: 'Presses the power or the reset button of the box.',
    operands: ['BOARD', 'BUTTON'],
    options: { long: { help: 'as long as it takes to switch off hard' }, wires: wiresOption },
    notes: 'BUTTON is power or reset. A device that runs holds the lines; this is for when none does.',
  },
  async ({ operands: [name = '', button = ''], options }) => {
    if (!buttons.includes(button)) throw new UsageError(`there is no button "${button}"; ${nearestAdvice(button, buttons)}`);
    if (options.long && button === 'reset') throw new UsageError('--long is for the power button');
    const definition = pressing(await chosenBoard(name), button);
    return withBoard(definition, options.wires, async (box) => {
      const before = box.powerState();
      const verb = verbOf(button, options.long, before);
      const outcome = await box.power(verb);
      if (outcome.status !== 'done') throw new BoardFailure(`not pressed (${outcome.reason}): ${outcome.detail}`);
      const lengthMs = verb === 'hard-off' ? definition.press.longMs : definition.press.shortMs;
      for (const end = Date.now() + followMs; Date.now() < end && box.powerState() === before;) await sleep(50);
      process.stdout.write(`pressed ${button} for ${lengthMs / 1_000} s (${verb}); the box was ${before} and is ${box.powerState()}\n`);
      return 0;
    });
  },
);

function verbOf(button: string, isLong: boolean, power: PowerState): PressVerb {
  if (button === 'reset') return 'reset';
  if (isLong) return 'hard-off';
  return power === 'on' ? 'soft-off' : 'on';
}

/** The board without what a press does not need. */
function pressing(definition: BoardDefinition, button: string): BoardDefinition {
  const { powerButton, resetButton, powerLed } = definition.lines;
  const wanted = button === 'power' ? powerButton : resetButton;
  if (!wanted || !powerLed) throw new UsageError(`${definition.board} has no ${button} button: board.yaml has no lines.${button}Button`);
  return { ...definition, lines: { powerLed, [`${button}Button`]: wanted }, sensors: [], display: undefined };
}

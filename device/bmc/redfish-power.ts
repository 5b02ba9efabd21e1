/** Power of a ComputerSystem: its state, and which resets a service allows (DSP2046). Pure. Specification §16.5. */
import type { PowerState, PowerVerb } from '../board/ports.ts';
import { linkField, listField, pathField, resourceField, textField, WrongResource, wordsField, type Resource } from './redfish-fields.ts';

export interface Reset {
  readonly target: string;
  /** Undefined where the action itself does not say it. */
  readonly allowed: readonly string[] | undefined;
  /** A resource that says it instead. */
  readonly actionInfo: string | undefined;
}

/** ResetType for a verb, the best first. */
const RESET_TYPES: readonly (readonly [PowerVerb, readonly string[]])[] = [
  ['on', ['On', 'ForceOn']],
  ['soft-off', ['GracefulShutdown', 'PushPowerButton']],
  ['hard-off', ['ForceOff']],
  ['reset', ['ForceRestart', 'PowerCycle']],
];

const POWER_STATES = new Map<string, PowerState>([
  ['On', 'on'],
  ['PoweringOn', 'on'],
  ['PoweringOff', 'on'],
  ['Paused', 'sleeping'],
  ['Off', 'off'],
]);

/** @throws WrongResource for a word that DSP2046 does not have */
export function powerStateOf(system: Resource): PowerState {
  const word = textField(system, 'PowerState');
  const state = word === undefined ? 'unknown' : POWER_STATES.get(word);
  if (state !== undefined) return state;
  throw new WrongResource(`PowerState is "${word ?? ''}"; it must be ${[...POWER_STATES.keys()].join(', ')}`);
}

/** @returns undefined where the system can't be reset. @throws WrongResource */
export function resetOf(system: Resource): Reset | undefined {
  const action = resourceField(resourceField(system, 'Actions') ?? {}, '#ComputerSystem.Reset');
  const target = action && pathField(action, 'target');
  if (action === undefined || target === undefined) return undefined;
  return {
    target,
    allowed: wordsField(action, 'ResetType@Redfish.AllowableValues'),
    actionInfo: pathField(action, '@Redfish.ActionInfo') ?? linkField(action, '@Redfish.ActionInfo'),
  };
}

/** What an ActionInfo says about ResetType. @throws WrongResource */
export function allowedIn(actionInfo: Resource): readonly string[] | undefined {
  const parameter = listField(actionInfo, 'Parameters').find((one) => textField(one, 'Name') === 'ResetType');
  return parameter && wordsField(parameter, 'AllowableValues');
}

/** The ResetType of each verb that the service allows; where it says nothing, the first of each. */
export function chosenResets(allowed: readonly string[] | undefined): ReadonlyMap<PowerVerb, string> {
  const chosen = RESET_TYPES.flatMap(([verb, words]) => {
    const word = allowed === undefined ? words[0] : words.find((one) => allowed.includes(one));
    return word === undefined ? [] : [[verb, word] as const];
  });
  return new Map(chosen);
}

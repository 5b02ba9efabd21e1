/** Options that several commands of `capsule` have, declared once. */
export const stateOption = { value: 'DIR', help: 'folder with clients, network file and capsules (default: .capstan)' } as const;
export const deviceOption = {
  value: 'NAME',
  help: 'device to speak with (default: the one that has the capsule, else the first)',
} as const;
export const clientOption = { value: 'NAME', help: 'client to speak as (default: the only one that the device knows from here)' } as const;
export const jsonOption = { help: 'print JSON for programs' } as const;

export const defaultState = '.capstan';

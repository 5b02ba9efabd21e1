/** A sender that kills itself at a chosen moment of its first intention: for a test. */
import process from 'node:process';
import { addressOfKey } from '#contracts/evm.ts';
import { Endpoints } from '../../../device/layer1/endpoints.ts';
import { IntentionStore } from '../../../device/layer1/intention-store.ts';
import { JsonRpc } from '../../../device/layer1/json-rpc.ts';
import { Sender } from '../../../device/layer1/sender-host.ts';

const [url = '', file = '', moment] = process.argv.slice(2);
const secret = Uint8Array.fromHex('ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');

/* eslint-disable @typescript-eslint/unbound-method -- both are called with their object */
const [store, ask] = [IntentionStore.prototype.store, JsonRpc.prototype.ask];
/* eslint-enable */
IntentionStore.prototype.store = function (sending) {
  if (sending.attempts.length > 0 && moment === 'before-store') die();
  store.call(this, sending);
};
JsonRpc.prototype.ask = async function (method, params) {
  if (method === 'eth_estimateGas' && moment === 'before-sign') die();
  if (method === 'eth_sendRawTransaction' && moment === 'before-say') die();
  const answer = await ask.call(this, method, params);
  if (method === 'eth_sendRawTransaction') die();
  return answer;
};

const endpoints = new Endpoints(31_337, [url]);
const terms = { feeCap: 10n ** 11n, dayBudget: 10n ** 18n };
const key = { address: addressOfKey(secret), secret };
const sender = new Sender({ endpoints, finality: 'tag', file, key, terms, wordsOfError: () => '', now: Date.now, log: () => undefined });
await sender.intend({ name: 'pay/1', to: new Uint8Array(20).fill(0x77), data: new Uint8Array(), value: '5' });
await sender.look();

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('killed');
}

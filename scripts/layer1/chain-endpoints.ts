/** The endpoints that somebody typed. Specification §4.5. */
import { EndpointUrl } from '#protocol/endpoint-url.ts';
import { readPlain } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { readCount } from '../../device/layer1/answers.ts';
import { Endpoints } from '../../device/layer1/endpoints.ts';
import { JsonRpc } from '../../device/layer1/json-rpc.ts';
import { UsageError } from '../arguments.ts';

/** @throws UsageError where they can't be meant */
export function endpointsOf(chainId: number, urls: readonly string[]): Endpoints {
  for (const url of urls) requireEndpoint(url);
  if (urls.length > LIMITS.layer1EndpointsMax)
    throw new UsageError(`${urls.length} endpoints; at most ${LIMITS.layer1EndpointsMax} are compared`);
  if (new Set(urls).size !== urls.length) throw new UsageError('an endpoint stands twice: nothing would be compared');
  return new Endpoints(chainId, urls);
}

/** @throws Error where it doesn't say */
export async function chainOf(url: string): Promise<number> {
  requireEndpoint(url);
  const rpc = new JsonRpc(url);
  const answer = await rpc.ask('eth_chainId', []);
  rpc.close();
  const chainId = answer.status === 'answered' ? readCount(answer.value) : undefined;
  if (chainId !== undefined) return chainId;
  throw new Error(`${new URL(url).host} does not say which chain it serves${answer.status === 'away' ? `: ${answer.why}` : ''}`);
}

function requireEndpoint(url: string): void {
  const read = readPlain(EndpointUrl, url);
  if (read.status === 'malformed') throw new UsageError(read.detail.replace(/^message/, 'the endpoint'));
}

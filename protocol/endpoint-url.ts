/**
 * Where a node of a layer-1 chain answers JSON-RPC: an `https://` address, or `http://` on this machine, whose own node needs no TLS.
 * Specification §4.5. Neither user nor query: what is a secret doesn't stand in a public file.
 */
import { HOST, PORT } from './peers-url.ts';
import { text } from './schema.ts';

const loopback = 'localhost|127\\.0\\.0\\.1|\\[::1\\]';

export const EndpointUrl = text({
  max: 255,
  pattern: new RegExp(`^(?:https://(?:${HOST})|http://(?:${loopback}))(?::(?:${PORT}))?(?:/[A-Za-z0-9._~-]+)*/?$`),
  like: 'https://host, with a port and a path where it needs them; http:// only to localhost, 127.0.0.1 or [::1]',
});

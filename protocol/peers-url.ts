/**
 * Where a member's broker for peers is: `mqtts://host:port`. Specification §4.2.
 *
 * Every member opens this address of every other, so it is an address and nothing else: what a program makes of user, path or a
 * host that is none differs from one to the next.
 */
import { text } from './schema.ts';

const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
/** IPv4 addresses have the form of DNS names. */
const dnsName = `${label}(?:\\.${label})*`;
const group = '[0-9A-Fa-f]{1,4}';
/** RFC 4291 §2.2, without the form that ends in an IPv4 address. By the number of groups before the gap. */
const ipv6 = [
  `(?:${group}:){7}${group}`,
  `(?:${group}:){1,7}:`,
  ...[1, 2, 3, 4, 5, 6].map((before) => `(?:${group}:){1,${before}}(?::${group}){1,${7 - before}}`),
  `:(?::${group}){1,7}`,
  '::',
].join('|');
/** A DNS name, an IPv4 address or an IPv6 address in brackets. */
export const HOST = `${dnsName}|\\[(?:${ipv6})\\]`;

/** 1 to 65535. */
export const PORT = '[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]';

export const PeersUrl = text({
  max: 255,
  pattern: new RegExp(`^mqtts://(?:${HOST}):(?:${PORT})$`),
  like: 'mqtts://host:port; the host is a DNS name, an IPv4 address or an IPv6 address in brackets, the port 1 to 65535',
});

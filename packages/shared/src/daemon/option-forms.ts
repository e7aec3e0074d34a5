/** What values of flags must look like, where a pattern cannot say it. Pure. */
import { isIP } from 'node:net';

/** An address to listen on: `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. */
export function isBindAddress(value: string): boolean {
  const [, bracketed, host = '', port] = /^(?:\[([^\]]*)\]|([0-9A-Za-z.-]*)):(\d{1,5})$/.exec(value) ?? [];
  if (port === undefined || Number(port) > 65_535) return false;
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  // Nothing but digits and dots is meant as an address.
  return !/^[\d.]+$/.test(host) || isIP(host) === 4;
}

/** IP addresses parted by commas, without zones of links: other machines know nothing of those. */
export function areIPs(value: string): boolean {
  return value.split(',').every((address) => isIP(address) !== 0 && !address.includes('%'));
}

/** A port that can be called. */
export function isPort(value: string): boolean {
  return /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535;
}

/** DNS domains, as `search` of a resolv.conf takes them. */
export const DNS_DOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/i;

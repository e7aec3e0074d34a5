/** Names that no other test, and no earlier run, uses. */
import { randomBytes } from 'node:crypto';

/** `<prefix>-<8 hex digits>`: a valid name for any Kubernetes object when the prefix is. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

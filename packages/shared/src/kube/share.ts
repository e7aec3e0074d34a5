/**
 * One copy of what many objects say alike. JSON.parse makes everything anew, but pods of one workload differ in little more
 * than their names and times, and the next version of an object in little but its status: what is equal at the same place
 * is taken from the object known before, so that it is in memory once. Who reads objects of a store must not write to them.
 */
import type { KubeObject } from './types.ts';

/**
 * Puts parts of `like` in the place of equal parts of `value`, at the same paths. `value` says the same as before.
 * @returns `like` itself when it is equal as a whole, otherwise `value`
 */
export function share(value: unknown, like: unknown): unknown {
  // Equal texts are two copies all the same.
  if (value === like) return like;
  if (typeof value !== 'object' || typeof like !== 'object' || value === null || like === null) return value;
  if (Array.isArray(value)) return Array.isArray(like) ? shareItems(value, like) : value;
  return Array.isArray(like) ? value : shareFields(value as Fields, like as Fields);
}

type Fields = Record<string, unknown>;

function shareItems(value: unknown[], like: readonly unknown[]): unknown[] | readonly unknown[] {
  let isEqual = value.length === like.length;
  const length = Math.min(value.length, like.length);
  for (let at = 0; at < length; at++) {
    const theirs = like[at];
    const ours = share(value[at], theirs);
    if (ours !== theirs) isEqual = false;
    value[at] = ours;
  }
  return isEqual ? like : value;
}

function shareFields(value: Fields, like: Fields): Fields {
  let isEqual = true;
  let fields = 0;
  for (const field in value) {
    fields++;
    if (!Object.hasOwn(like, field)) {
      isEqual = false;
      continue;
    }
    const theirs = like[field];
    const ours = share(value[field], theirs);
    if (ours !== theirs) isEqual = false;
    // Also a field named __proto__, which JSON.parse makes one like others: its own are set before the prototype's.
    value[field] = ours;
  }
  if (!isEqual) return value;
  for (const _ in like) fields--;
  return fields === 0 ? like : value;
}

/** Objects of so many families are remembered to share with. */
const MOST_FAMILIES = 200;

/** Shares among the objects of one kind. */
export class Sharing<T extends KubeObject> {
  /** The last object of each family, the one that was seen last at the end. */
  private readonly families = new Map<string, T>();
  private readonly familyOf: (object: T) => string;

  /** @param familyOf names what objects have in common that are alike, such as their workload */
  constructor(familyOf: (object: T) => string) {
    this.familyOf = familyOf;
  }

  /** Shares with the version known before, and with the last object of the same family. */
  take(object: T, previous: T | undefined): void {
    if (previous) shareFields(object, previous);
    const family = this.familyOf(object);
    const relative = this.families.get(family);
    if (relative) {
      shareFields(object, relative);
      this.families.delete(family);
    } else if (this.families.size >= MOST_FAMILIES) {
      for (const oldest of this.families.keys()) {
        this.families.delete(oldest);
        break;
      }
    }
    this.families.set(family, object);
  }
}

/** Objects of one controller are alike, and those of one namespace are likelier to be than others. */
export function byController({ metadata }: KubeObject): string {
  const { ownerReferences, namespace = '' } = metadata;
  return ownerReferences?.find(({ controller }) => controller)?.uid ?? namespace;
}

/** The smallest patch that turns one object into another; nothing to write gives no patch. */
import type { Condition, Json } from './types.ts';

/**
 * JSON merge patch (RFC 7386) from `current` to `desired`, looking only at the fields that `desired` names: fields of
 * others are left alone. A field set to `undefined` in `desired` is removed. Arrays are replaced whole.
 * @returns undefined when nothing differs.
 */
export function mergePatch(current: Json | undefined, desired: Json): Json | undefined {
  const patch: Json = {};
  for (const [field, wanted] of Object.entries(desired)) {
    const present = current?.[field];
    if (wanted === undefined || wanted === null) {
      if (present !== undefined && present !== null) patch[field] = null;
    } else if (isObject(wanted) && isObject(present)) {
      const inner = mergePatch(present, wanted);
      if (inner) patch[field] = inner;
    } else if (!deepEqual(present, wanted)) {
      patch[field] = wanted;
    }
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** As {@link mergePatch}, but removes what `desired` lacks: for maps that are wholly ours (`data` of a copy). */
export function replacePatch(current: Json | undefined, desired: Json): Json | undefined {
  const all: Json = { ...desired };
  for (const field of Object.keys(current ?? {})) if (!Object.hasOwn(desired, field)) all[field] = undefined;
  const patch: Json = {};
  for (const [field, wanted] of Object.entries(all)) {
    const present = current?.[field];
    if (wanted === undefined) patch[field] = null;
    else if (isObject(wanted) && isObject(present)) {
      const inner = replacePatch(present, wanted);
      if (inner) patch[field] = inner;
    } else if (!deepEqual(present, wanted)) patch[field] = wanted;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/**
 * Metadata of a strategic merge patch that takes one finalizer off the object with this UID; those of others stay, which a
 * list in the patch would not see to (`$deleteFromPrimitiveList`, apimachinery's strategicpatch).
 */
export function withoutFinalizer(uid: string | undefined, finalizer: string): Json {
  return { uid, '$deleteFromPrimitiveList/finalizers': [finalizer] };
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equality of JSON values; an absent field equals one that is undefined. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  // Most that are compared are equal, by the thousand in a second: no list of the fields of both.
  for (const field of Object.keys(a)) if (!deepEqual(a[field], b[field])) return false;
  for (const field of Object.keys(b)) if (b[field] !== undefined && !Object.hasOwn(a, field)) return false;
  return true;
}

/**
 * A condition list with `next` in it. lastTransitionTime moves only when the status changes
 * (API conventions, "typical status properties"). Gives back the same array when nothing changes.
 */
export function withCondition(conditions: readonly Condition[] | undefined, next: Condition, now: Date): Condition[] {
  const list = conditions ? [...conditions] : [];
  const at = list.findIndex((condition) => condition.type === next.type);
  const known = list[at];
  const time =
    known && known.status === next.status && known.lastTransitionTime
      ? known.lastTransitionTime
      : now.toISOString().replace(/\.\d+Z$/, 'Z');
  const merged: Condition = { ...next, lastTransitionTime: time };
  if (known && deepEqual(known, merged)) return conditions as Condition[];
  if (known) list[at] = merged;
  else list.push(merged);
  return list;
}

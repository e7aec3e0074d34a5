/** Builders for structural OpenAPI v3 schemas, as CustomResourceDefinitions want them. Only what our kinds need. */

/** x-kubernetes-validations entry: CEL over `self` (and `oldSelf`: then checked on updates only). */
export interface Rule {
  rule: string;
  /** Shown to the user after the field's path. */
  message: string;
  /** Path below the object with the rule that the refusal names, e.g. `.values`. */
  fieldPath?: string;
}

export interface Schema {
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema;
  items?: Schema;
  anyOf?: Schema[];
  enum?: string[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-validations'?: Rule[];
}

/** Everything a builder does not set itself; `rules` becomes x-kubernetes-validations. */
type Extra = Omit<Schema, 'type' | 'description' | 'properties' | 'items' | 'x-kubernetes-validations'> & {
  rules?: Rule[];
};

function extended(base: Schema, extra: Extra): Schema {
  const { rules, ...rest } = extra;
  return { ...base, ...rest, ...(rules && { 'x-kubernetes-validations': rules }) };
}

export function text(description: string, extra: Extra = {}): Schema {
  return extended({ type: 'string', description }, extra);
}

/** One of a closed set of words. */
export function word(description: string, words: readonly string[], extra: Extra = {}): Schema {
  return extended({ type: 'string', description, enum: [...words] }, extra);
}

/** RFC 3339 time. */
export function time(description: string): Schema {
  return { type: 'string', format: 'date-time', description };
}

export function integer(description: string, extra: Extra = {}): Schema {
  return extended({ type: 'integer', format: 'int32', description }, extra);
}

export function boolean(description: string): Schema {
  return { type: 'boolean', description };
}

export function list(description: string, items: Schema, extra: Extra = {}): Schema {
  const keys = extra['x-kubernetes-list-map-keys'];
  return extended({ type: 'array', description, items, 'x-kubernetes-list-type': keys ? 'map' : 'atomic' }, extra);
}

export function map(description: string, values: Schema, extra: Extra = {}): Schema {
  return extended({ type: 'object', description, additionalProperties: values }, extra);
}

export function object(description: string, properties: Record<string, Schema>, extra: Extra = {}): Schema {
  return extended({ type: 'object', description, properties }, extra);
}

/** An object that is kept whole, whatever is in it. */
export function raw(description: string): Schema {
  return { type: 'object', description, 'x-kubernetes-preserve-unknown-fields': true };
}

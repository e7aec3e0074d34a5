/** Schemas that several kinds share: names, node and label selectors, conditions. */
import type { Rule, Schema } from './schema.ts';
import { integer, list, map, object, text, time, word } from './schema.ts';

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** Refuses every change; `why` ends the message. */
export function immutable(field: string, why: string): Rule {
  return { rule: 'self == oldSelf', message: `${field} is immutable: ${why}` };
}

/** A namespace's name. */
export function namespaceName(description: string, rules: Rule[] = []): Schema {
  return text(description, { minLength: 1, maxLength: 63, pattern: `^${dnsLabel}$`, rules });
}

/** The name of most other objects. */
export function objectName(description: string): Schema {
  return text(description, { minLength: 1, maxLength: 253, pattern: `^${dnsLabel}(\\.${dnsLabel})*$` });
}

const labelKey: Schema = text('Label key.', {
  minLength: 1,
  maxLength: 317,
  pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$',
});

const values: Schema = list(
  'In, NotIn: one or more; Gt, Lt: one integer; otherwise none.',
  text('Label value.', { maxLength: 63 }),
  {
    maxItems: 256,
  },
);

const count = '(has(self.values) ? size(self.values) : 0)';

const expressionRules: Rule[] = [
  {
    rule: `!(self.operator in ['In', 'NotIn']) || ${count} > 0`,
    message: 'the operators In and NotIn need at least one value',
    fieldPath: '.values',
  },
  {
    rule: `!(self.operator in ['Exists', 'DoesNotExist']) || ${count} == 0`,
    message: 'the operators Exists and DoesNotExist take no values',
    fieldPath: '.values',
  },
];

const numberRule: Rule = {
  rule: `!(self.operator in ['Gt', 'Lt']) || (${count} == 1 && self.values[0].matches('^-?[0-9]+$'))`,
  message: 'the operators Gt and Lt need exactly one value, an integer in quotes, for example ["8"]',
  fieldPath: '.values',
};

const expression = object(
  'One condition on the labels.',
  {
    key: labelKey,
    operator: word('How key and values relate.', ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
    values,
  },
  { required: ['key', 'operator'], rules: [...expressionRules, numberRule] },
);

const field = object(
  'One condition on a field of the node.',
  {
    key: word('The only field there is.', ['metadata.name']),
    operator: word('In or NotIn.', ['In', 'NotIn']),
    values: list('Exactly one node name.', text('Node name.', { minLength: 1, maxLength: 253 }), {
      minItems: 1,
      maxItems: 1,
    }),
  },
  { required: ['key', 'operator', 'values'] },
);

/** core/v1 NodeSelector, checked as the API server checks it in pods. */
export function nodeSelector(description: string): Schema {
  const term = object('Conditions that must all hold; a term without any matches no node.', {
    matchExpressions: list('Conditions on the labels of the node.', expression, { maxItems: 32 }),
    matchFields: list('Conditions on the fields of the node.', field, { maxItems: 8 }),
  });
  return object(
    description,
    { nodeSelectorTerms: list('A node matches when one term does.', term, { maxItems: 64 }) },
    { required: ['nodeSelectorTerms'] },
  );
}

/** metav1.LabelSelector. */
export function labelSelector(description: string): Schema {
  const labelExpression = object(
    'One condition on the labels.',
    { key: labelKey, operator: word('How key and values relate.', ['In', 'NotIn', 'Exists', 'DoesNotExist']), values },
    { required: ['key', 'operator'], rules: expressionRules },
  );
  return object(description, {
    matchLabels: map('Labels that must be there with these values.', text('Label value.', { maxLength: 63 })),
    matchExpressions: list('Conditions that must all hold.', labelExpression, { maxItems: 32 }),
  });
}

/** metav1.Condition list, merged by type so that several processes can own one each. */
export function conditions(description: string): Schema {
  const condition = object(
    'One aspect of the state.',
    {
      type: text('Name of the aspect.', {
        maxLength: 316,
        pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$',
      }),
      status: word('Whether it holds.', ['True', 'False', 'Unknown']),
      reason: text('One word for programs.', {
        minLength: 1,
        maxLength: 1024,
        pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
      }),
      message: text('What is so, and what to do about it.', { maxLength: 32768 }),
      lastTransitionTime: time('When status last changed.'),
      observedGeneration: { ...integer('metadata.generation that this speaks of.', { minimum: 0 }), format: 'int64' },
    },
    { required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'] },
  );
  return list(description, condition, { 'x-kubernetes-list-map-keys': ['type'] });
}

/** Schema of LeaseGuard; the TypeScript side is lease-guard.ts. */
import { list, map, object, text } from './schema.ts';

const binding = text('Label value of a binding.', { maxLength: 63 });

export const leaseGuardSchema = {
  description:
    'LeaseGuard is the parameter of the admission policy that holds computing clusters to what is lent. Written by the worker agent only, one in each mount namespace.',
  spec: object(
    'What may be asked for now.',
    { open: map('By worker node, the bindings whose new pods it takes.', list('Bindings.', binding)) },
    { required: ['open'] },
  ),
};

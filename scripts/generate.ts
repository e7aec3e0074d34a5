/**
 * Writes the files that are generated from TypeScript: the charts' CRDs, docs/api.md, docs/flags.md and docs/pod-fields.md. With `--check` it writes
 * nothing, and fails with the names of the files that are not up to date.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { apiDocument } from '../packages/shared/src/api/crd-docs.ts';
import {
  bindingDefinition,
  leaseGuardDefinition,
  leasedNodeDefinition,
  policyDefinition,
} from '../packages/shared/src/api/crd.ts';
import { crdYaml } from '../packages/shared/src/api/crd-yaml.ts';
import { flagsDocument } from './flags-docs.ts';
import { podFieldsDocument } from './pod-fields-docs.ts';

const root = resolve(import.meta.dirname, '..');

/** Path below the repository's root → content. */
function generated(): Map<string, string> {
  return new Map([
    ['charts/kubeocean/templates/crds/clusterbindings.yaml', crdYaml(bindingDefinition)],
    ['charts/kubeocean-worker/templates/crds/resourceleasingpolicies.yaml', crdYaml(policyDefinition)],
    ['charts/kubeocean-worker/templates/crds/leasednodes.yaml', crdYaml(leasedNodeDefinition)],
    ['charts/kubeocean-worker/templates/crds/leaseguards.yaml', crdYaml(leaseGuardDefinition)],
    ['docs/api.md', apiDocument()],
    ['docs/flags.md', flagsDocument()],
    ['docs/pod-fields.md', podFieldsDocument()],
  ]);
}

function current(path: string): string | undefined {
  try {
    return readFileSync(resolve(root, path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const unknown = process.argv.slice(2).filter((argument) => argument !== '--check');
if (unknown.length > 0) {
  console.error(`generate: unknown argument ${unknown[0]}; usage: node scripts/generate.ts [--check]`);
  process.exit(2);
}
const stale = [...generated()].filter(([path, content]) => current(path) !== content);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`generate: ${path} is not up to date; run: npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, content] of stale) {
    mkdirSync(dirname(resolve(root, path)), { recursive: true });
    writeFileSync(resolve(root, path), content);
    console.log(`generate: wrote ${path}`);
  }
}

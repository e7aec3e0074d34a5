/** Environment of a worker container: references renamed, home's values resolved, home's API server named. Pure. */
import { workerName } from '@kubeocean/shared/api';
import { downwardValue } from './downward.ts';
import { Refusal } from './refusal.ts';
import { apiServerVariables, linkedServices, serviceVariables } from './service-variables.ts';
import type { WorkerFacts } from './to-worker.ts';
import type { Container, EnvFromSource, EnvVar, Pod } from '../types.ts';

/** Sources of core/v1 EnvVarSource that need no translation: the worker's kubelet reads its own node or a volume. */
const LOCAL_SOURCES = new Set(['resourceFieldRef', 'fileKeyRef']);

/** @throws Refusal for a source that is not known. */
export function translateContainer(container: Container, home: Pod, facts: WorkerFacts): Container {
  const own = (container.env ?? []).map((variable) => translateVariable(variable, container.name, home, facts));
  const named = new Set(own.map((variable) => variable.name));
  const injected = injectedVariables(home, facts).filter((variable) => !named.has(variable.name));
  // First, so that $(KUBERNETES_SERVICE_HOST) in the pod's own variables means home's.
  const env = [...injected, ...own];
  const translated: Container = { ...container };
  if (env.length > 0) translated.env = env;
  if (container.envFrom) {
    translated.envFrom = container.envFrom.map((source) => translateEnvFrom(source, container.name, home, facts));
  }
  return translated;
}

/** What a kubelet at home would add: of these, the API server's always, for the worker's kubelet would add its own. */
function injectedVariables(home: Pod, facts: WorkerFacts): EnvVar[] {
  const variables = new Map<string, EnvVar>();
  for (const service of linkedServices(home, facts.services)) {
    for (const variable of serviceVariables(service)) variables.set(variable.name, variable);
  }
  for (const variable of apiServerVariables(facts.apiServer)) variables.set(variable.name, variable);
  return [...variables.values()];
}

function translateVariable(variable: EnvVar, container: string, home: Pod, facts: WorkerFacts): EnvVar {
  const { valueFrom } = variable;
  if (!valueFrom) return variable;
  for (const source of Object.keys(valueFrom)) {
    switch (source) {
      case 'fieldRef': {
        const value = valueFrom.fieldRef && downwardValue(home, valueFrom.fieldRef.fieldPath);
        if (value === undefined) return variable;
        const { valueFrom: _, ...rest } = variable;
        // A literal is expanded where a reference is not: `$$` stands for `$`.
        return { ...rest, value: value.replaceAll('$', '$$$$') };
      }
      case 'configMapKeyRef':
        return {
          ...variable,
          valueFrom: { ...valueFrom, [source]: rename(valueFrom[source], 'configmap', home, facts) },
        };
      case 'secretKeyRef':
        return { ...variable, valueFrom: { ...valueFrom, [source]: rename(valueFrom[source], 'secret', home, facts) } };
      default:
        if (!LOCAL_SOURCES.has(source)) {
          throw new Refusal(
            'EnvironmentNotCarried',
            `variable ${variable.name} of container ${container} takes its value from ${source}, which Kubeocean does not know`,
          );
        }
    }
  }
  return variable;
}

function translateEnvFrom(source: EnvFromSource, container: string, home: Pod, facts: WorkerFacts): EnvFromSource {
  const translated = { ...source };
  for (const field of Object.keys(source)) {
    if (field === 'configMapRef') translated[field] = rename(source[field], 'configmap', home, facts);
    else if (field === 'secretRef') translated[field] = rename(source[field], 'secret', home, facts);
    else if (field !== 'prefix') {
      throw new Refusal(
        'EnvironmentNotCarried',
        `container ${container} takes variables from ${field}, which Kubeocean does not know`,
      );
    }
  }
  return translated;
}

/** The reference with the name of the worker's copy. */
export function rename<T extends { name?: string } | undefined>(
  reference: T,
  kind: 'configmap' | 'secret',
  home: Pod,
  facts: WorkerFacts,
): T {
  if (!reference?.name) return reference;
  return { ...reference, name: workerName(facts.bindingUID, home.metadata.namespace ?? '', reference.name, kind) };
}

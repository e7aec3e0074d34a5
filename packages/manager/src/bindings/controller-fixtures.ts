/** A controller of one binding against a server of the tests' own. */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { createLogger } from '@kubeocean/shared/daemon';
import { KubeClient, type KubeObject } from '@kubeocean/shared/kube';
import type { TestServer } from '@kubeocean/shared/testing';
import type { Made } from '../workloads/made.ts';
import { BindingController, type ControllerOptions } from './controller.ts';
import { settings } from './fixtures.ts';

/** Of a cluster in which nothing was made for the binding. */
export function controllerOf(
  server: TestServer,
  of: ClusterBinding,
  isCurrent: () => boolean = () => true,
  made: (wanted: Made) => KubeObject | undefined = () => undefined,
  /** Objects made for the binding that are still there when it is deleted. */
  left: () => number = () => 0,
  own: Partial<ControllerOptions> = {},
) {
  const calls: string[] = [];
  const told: string[] = [];
  /** Names of what was applied. */
  const ensured: string[] = [];
  server.answer = (request, response) => {
    calls.push(`${request.method} ${(request.url ?? '').split('?')[0]}`);
    response.end(JSON.stringify(of));
  };
  const leadership = {
    signal: new AbortController().signal,
    isCurrent,
    transitions: 0,
    leaseTime: () => new Date(0),
  };
  const controller = new BindingController({
    home: new KubeClient(server.transport()).ledBy(leadership),
    bindings: new Map([[of.metadata.name, of]]) as unknown as ControllerOptions['bindings'],
    secrets: new Map() as unknown as ControllerOptions['secrets'],
    made: { get: made } as unknown as ControllerOptions['made'],
    applier: {
      ensure(_: string, wanted: Made) {
        ensured.push(wanted.object.metadata.name);
        return Promise.resolve({ object: wanted.object, written: false });
      },
      removeAll: () => Promise.resolve(left()),
    } as unknown as ControllerOptions['applier'],
    checks: {} as ControllerOptions['checks'],
    settings,
    events: {
      event: (_subject, type, reason, message) => void told.push(`${type} ${reason}: ${message}`),
      flush: () => Promise.resolve(),
    },
    log: createLogger('test', 'silent'),
    leadership,
    now: () => new Date(0),
    monotonic: () => 0,
    abandonAfterMs: 0,
    ...own,
  });
  return { calls, told, ensured, run: () => controller.reconcile(of.metadata.name) };
}

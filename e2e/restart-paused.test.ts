/**
 * A leading syncer that hangs (SIGSTOP: a node that swaps, a virtual machine that is moved) for longer than its Lease lasts,
 * beside a replica that stands by: that one goes on with its work, and what the first had begun it does not end.
 */
import { Leases, Pods } from '@kubeocean/shared/kube';
import { expect, onTestFailed, test } from 'vitest';
import {
  cleanup,
  kubeconfigOf,
  kubectl,
  type SeenRequest,
  startApiProxy,
  startProcess,
  waitFor,
} from './harness/index.ts';
import { FOREVER, podRig, SLOW_MS } from './restart/rig.ts';

const BURST = 20;
const ELECTION = ['--leader-elect', '--leader-election-namespace=default'];

test(
  'the replica that stands by goes on, and the one that hung writes nothing when it wakes',
  async () => {
    const proxies = [await startApiProxy('computing'), await startApiProxy('worker-1')] as const;
    const rig = await podRig('paused', {
      kubeconfig: proxies[0].kubeconfig,
      workerKubeconfig: proxies[1].kubeconfig,
      election: ELECTION,
      allocatable: { cpu: '4k', memory: '64Gi', pods: '200' },
    });
    const { home, homeNamespace, syncer: first } = rig;
    cleanup(() => home.delete(Leases, 'default', `kubeocean-syncer-${rig.bindingName}`));
    const second = startProcess('syncer', [
      `--kubeconfig=${kubeconfigOf('computing')}`,
      `--worker-kubeconfig=${kubeconfigOf('worker-1')}`,
      `--cluster-binding-name=${rig.bindingName}`,
      ...ELECTION,
    ]);
    onTestFailed(() => console.log(first.tail(15), second.tail(15)));
    const standsBy = ({ msg }: { msg?: string }) => msg === 'waiting to lead';
    await second.waitLog('the second to stand by', standsBy, SLOW_MS);
    const once = { restartPolicy: 'Never' };
    await Promise.all([
      rig.create('stays', rig.spec(FOREVER)),
      rig.create('ends', rig.spec('while [ ! -e /tmp/end ]; do sleep 1; done', once)),
      rig.create('again', rig.spec(FOREVER)),
    ]);
    const [stays, ends, again] = await Promise.all(['stays', 'ends', 'again'].map((name) => rig.ready(name)));
    const names = Array.from({ length: BURST }, (_, index) => `burst-${index}`);

    // In the midst of its work: some of these it has not seen, of others it waits for answers.
    const written: SeenRequest[] = [];
    const create = proxies[1].hold('after', ({ method, path }) => method === 'POST' && /\/pods\?/.test(path));
    const made = names.map((name) => rig.create(name, rig.spec(FOREVER)));
    await create.held;
    first.pause();
    cleanup(() => first.resume());
    for (const proxy of proxies) proxy.hold('before', (seen) => seen.method !== 'GET' && written.push(seen) < 0);
    create.release();
    await Promise.all(made);
    const inWorker = ['-n', rig.mountNamespace, rig.workerName('ends')];
    await kubectl('worker-1', ['exec', ...inWorker, '--', 'touch', '/tmp/end']);
    await home.delete(Pods, homeNamespace, 'again');

    await second.waitLog('the second to lead', ({ msg }) => msg === 'leading', SLOW_MS);
    await rig.phase('ends', 'Succeeded');
    await rig.gone('again');
    const anew = await rig.create('again', rig.spec(FOREVER));
    await Promise.all([...names, 'again'].map((name) => rig.ready(name)));

    written.splice(0);
    first.resume();
    await waitFor('the first to stand by', () => first.logs().filter(standsBy).length > 1, { timeoutMs: SLOW_MS });
    // It may ask whether it still leads: with a revision that is over by now.
    const writes = written.filter(({ path }) => !path.includes('/leases/kubeocean-syncer-'));
    expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
    for (const name of names) expect(rig.made.get((await rig.atHome(name)).metadata.uid ?? '')?.size).toBe(1);
    for (const pod of [stays, ends, again, anew]) expect(rig.made.get(pod?.metadata.uid ?? '')?.size).toBe(1);
    expect((await rig.atHome('ends')).status?.phase).toBe('Succeeded');
    expect((await rig.atHome('stays')).metadata.uid).toBe(stays?.metadata.uid);
  },
  6 * SLOW_MS,
);

import { expect, it } from 'vitest';

import { parseHierarchies } from './cgroups.ts';
import { mountsBelow } from './teardown.ts';

const mountinfo = [
  '20 1 8:1 / / rw - ext4 /dev/root rw',
  '30 20 0:26 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset',
  '31 20 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate',
  '40 20 0:30 / /var/lib/kubeocean/1/worker-1/a rw - tmpfs tmpfs rw',
  '41 40 0:31 / /var/lib/kubeocean/1/worker-1/a/inner\\040one rw shared:1 - tmpfs tmpfs rw',
  '42 20 0:32 / /var/lib/kubeocean/11/x rw - tmpfs tmpfs rw',
  '43 20 0:33 / /run/kubeocean/1/kube1-w1-node1/shm rw - tmpfs shm rw',
  '',
].join('\n');

it('finds the mounts of one set, the innermost first, and none of a set whose index begins with the same digit', () => {
  expect(mountsBelow(mountinfo, ['/var/lib/kubeocean/1', '/run/kubeocean/1'])).toEqual([
    '/run/kubeocean/1/kube1-w1-node1/shm',
    '/var/lib/kubeocean/1/worker-1/a/inner one',
    '/var/lib/kubeocean/1/worker-1/a',
  ]);
});

it('reads cgroup hierarchies of both versions', () => {
  expect(parseHierarchies(mountinfo)).toEqual([
    { mount: '/sys/fs/cgroup/cpuset', version: 1, options: ['rw', 'cpuset'] },
    { mount: '/sys/fs/cgroup/unified', version: 2, options: ['rw', 'nsdelegate'] },
  ]);
});

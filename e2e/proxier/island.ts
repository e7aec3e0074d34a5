/** A host of its own beside this one, whose link can be taken down: what it was talking to gets no word of it. */
import { randomInt } from 'node:crypto';
import { run } from '../clusters/local/run.ts';
import { cleanup, uniqueName } from '../harness/index.ts';

export interface Island {
  /** Its address, and this host's on the link between the two. */
  readonly address: string;
  readonly gateway: string;
  /** What a command that is to run there begins with. */
  readonly prefix: readonly string[];
  link(state: 'up' | 'down'): Promise<unknown>;
}

/** Makes it: a network namespace joined to this host, to nothing else. It goes with the test file. */
export async function makeIsland(): Promise<Island> {
  const name = uniqueName('isl');
  // Names of links have 15 characters at most.
  const near = `i${randomInt(1e9).toString(36)}a`;
  // Addresses that are for tests of networks (RFC 2544); link-local ones no kubeconfig may name.
  const net = `198.18.${randomInt(1, 254)}`;
  const last = 4 * randomInt(1, 60);
  const [gateway, address] = [`${net}.${last + 1}`, `${net}.${last + 2}`];
  const prefix = ['nsenter', `--net=/run/netns/${name}`];
  await run(['ip', 'netns', 'add', name]);
  cleanup(() => run(['ip', 'netns', 'del', name]));
  await run(['ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', 'out', 'netns', name]);
  cleanup(() => run(['ip', 'link', 'del', near], { anyExit: true }));
  await run(['ip', 'addr', 'add', `${gateway}/30`, 'dev', near]);
  await run(['ip', 'link', 'set', near, 'up']);
  await run([...prefix, 'ip', 'addr', 'add', `${address}/30`, 'dev', 'out']);
  await run([...prefix, 'ip', 'link', 'set', 'out', 'up']);
  await run([...prefix, 'ip', 'link', 'set', 'lo', 'up']);
  await run([...prefix, 'ip', 'route', 'add', 'default', 'via', gateway]);
  return {
    address,
    gateway,
    prefix,
    // At its own end: at ours the route would go as well, and packets would leave by the machine's default route.
    async link(state) {
      await run([...prefix, 'ip', 'link', 'set', 'out', state]);
      if (state === 'up') await run([...prefix, 'ip', 'route', 'replace', 'default', 'via', gateway]);
    },
  };
}

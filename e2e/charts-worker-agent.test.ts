/** What the worker chart hands to the agent: a value for every flag that a platform team sets, checked by the schema. */
import { describe, expect, it } from 'vitest';
import { AGENT_OPTIONS } from '../packages/worker-agent/src/options.ts';
import { helmTemplate } from './harness/index.ts';

function template(...set: string[]): ReturnType<typeof helmTemplate> {
  return helmTemplate('kubeocean-worker', { set, anyExit: true });
}

async function flags(...values: string[]): Promise<string[]> {
  const { stdout, stderr, status } = await template(...values);
  expect(status, stderr).toBe(0);
  return [...stdout.matchAll(/^ +- ("?--[a-z-]+=.*)$/gm)].map(([, flag]) => String(flag).replace(/^"(.*)"$/, '$1'));
}

describe('the agent', () => {
  it('is started with flags that it knows, each at its own default', async () => {
    for (const flag of await flags()) {
      const [name = '', value] = flag.slice(2).split('=');
      expect(Object.keys(AGENT_OPTIONS)).toContain(name);
      const option = AGENT_OPTIONS[name as keyof typeof AGENT_OPTIONS];
      const set = ['leader-election-id', 'tenants-file', 'log-level'].includes(name);
      if (!set) expect([name, value]).toEqual([name, String((option as { default?: unknown }).default)]);
    }
  });

  it.each([
    ['agent.timeZone=Asia/Shanghai', '--time-zone=Asia/Shanghai'],
    ['agent.noticeSeconds=0', '--notice-seconds=0'],
    ['agent.reclaimDeadlineSeconds=86400', '--reclaim-deadline=86400'],
    ['agent.maxTerminationGraceSeconds=30', '--max-termination-grace=30'],
    ['agent.kubeletInsecureTLS=true', '--kubelet-insecure-tls=true'],
    ['networkPolicy.computingCIDRs={10.20.0.0/16,10.30.0.0/16}', '--computing-cidrs=10.20.0.0/16,10.30.0.0/16'],
    ['logLevel=debug', '--log-level=debug'],
    ['agent.extraArgs={--kube-api-timeout=9}', '--kube-api-timeout=9'],
  ])('is given %s', async (value, flag) => expect(await flags(value)).toContain(flag));

  it.each([
    ['agent.noticeSeconds=-1', /noticeSeconds/],
    ['agent.reclaimDeadlineSeconds=86401', /reclaimDeadlineSeconds/],
    ['agent.maxTerminationGraceSeconds=0', /maxTerminationGraceSeconds/],
    ['agent.noticeSeconds=soon', /noticeSeconds/],
    ['agent.kubeletInsecureTLS=maybe', /kubeletInsecureTLS/],
    ['agent.timeZone=+08:00', /timeZone/],
    ['agent.noticeSecond=1', /noticeSecond/],
    ['agent.extraArgs={notice-seconds=1}', /extraArgs/],
  ])('is not given %s', async (value, message) => {
    const { status, stderr } = await template(value);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

it('a NetworkPolicy that limits needs the ranges to be valid, and its mode to be known', async () => {
  for (const value of ['networkPolicy.mode=open', 'networkPolicy.computingCIDRs={home}']) {
    const { status, stderr } = await template(value);
    expect(status).not.toBe(0);
    expect(stderr).toContain('networkPolicy');
  }
});

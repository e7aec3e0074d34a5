/** The alerts of docs/monitoring.md, word for word, in Prometheus' own rule tests: each is silent, fires, and is silent again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debianProgram } from './clusters/debian.ts';
import { run } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { cleanup } from './harness/index.ts';

const page = readFileSync(join(checkout, 'docs/monitoring.md'), 'utf8');
const rules = /```yaml\n(groups:\n[^]*?)```/.exec(page)?.[1] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-alerts-'));
cleanup(() => rmSync(folder, { recursive: true }));

/** Samples of a minute each, as promtool writes them: an hour in which all is well, a bad one, and two more that are well. */
const hours = (good: string, bad: string) => `${good}x60 ${bad}x60 ${good}x120`;
const gauge = (good: number, bad: number) => hours(`${good}+0`, `${bad}+0`);
const goneFor = (good: number) => hours(`${good}+0`, '_');
const counter = '0+0x60 1+1x60 62+0x120';
/** As a replica says it whose leadership comes and goes every four minutes. */
const turns = `1+0x60 ${'1 0 0 0 '.repeat(15)} 1+0x120`;
const DAY = 86_400;

const two = (name: string, labels: string, values: string): [string, string][] => [
  [`${name}{${labels},instance="a"}`, values],
  [`${name}{${labels},instance="b"}`, values],
];
const LEADS = 'process="kubeocean-syncer",binding="example-cluster"';

/** What is scraped when it happens, by alert. */
const HAPPENS: Record<string, [series: string, values: string][]> = {
  KubeoceanBindingFailed: two('kubeocean_bindings', 'phase="Failed"', gauge(0, 2)),
  KubeoceanBindingPending: two('kubeocean_bindings', 'phase="Pending"', gauge(0, 1)),
  KubeoceanNoManager: two('kubeocean_bindings', 'phase="Ready"', goneFor(1)),
  KubeoceanWorkerUnreachable: [['kubeocean_worker_reachable{binding="example-cluster"}', gauge(1, 0)]],
  KubeoceanDeletionGuard: [['kubeocean_deletions_held{binding="example-cluster"}', gauge(0, 12)]],
  KubeoceanPodsRefused: [['kubeocean_pods_refused{binding="example-cluster"}', gauge(0, 3)]],
  KubeoceanNoSyncer: [['kubeocean_worker_reachable{binding="example-cluster"}', goneFor(1)]],
  KubeoceanNobodyLeads: [
    [`kubeocean_leading{${LEADS},instance="a"}`, gauge(1, 0)],
    [`kubeocean_leading{${LEADS},instance="b"}`, gauge(0, 0)],
  ],
  KubeoceanLeadersChange: [
    [`kubeocean_leading{${LEADS},instance="a"}`, turns],
    [`kubeocean_leading{${LEADS},instance="b"}`, gauge(0, 0)],
  ],
  KubeoceanCertificateEnds: [
    ['kubeocean_proxier_certificate_expiry_timestamp_seconds{instance="a"}', gauge(30 * DAY, DAY)],
  ],
  KubeoceanCredentialEnds: [
    ['kubeocean_worker_credential_expiry_timestamp_seconds{binding="example-cluster"}', gauge(30 * DAY, DAY)],
  ],
  KubeoceanNoAgent: two('kubeocean_agent_leased_nodes', 'job="kubeocean"', goneFor(0)),
  // There from its first failure on, as counters with labels are.
  KubeoceanReclaimFails: [
    ['kubeocean_agent_reclaim_steps_total{step="evict",result="failed"}', '_x60 1+1x60 62+0x120'],
    ['kubeocean_agent_reclaim_steps_total{step="evict",result="done"}', '0+1x240'],
  ],
  KubeoceanPodsOverdue: [
    ['kubeocean_agent_overdue_pods{instance="a"}', gauge(0, 2)],
    ['kubeocean_agent_overdue_pods{instance="b"}', gauge(0, 0)],
  ],
  KubeoceanAgentWritesFail: [['kubeocean_agent_write_failures_total{instance="a"}', counter]],
  KubeoceanPolicyStuck: [
    ['kubeocean_agent_policies{reason="NodesLent"}', gauge(2, 1)],
    // It goes with the last policy that says so.
    ['kubeocean_agent_policies{reason="NotGuarded"}', '_x60 1+0x60 _x120'],
  ],
};

test('each is tried here', () => {
  const alerts = [...rules.matchAll(/\{alert: (\w+),/g)].map(([, name]) => name);
  expect(alerts).toEqual(Object.keys(HAPPENS));
});

test('each is silent, fires when it happens, and is silent when it is over', async (context) => {
  const promtool = await debianProgram('prometheus', 'usr/bin/promtool');
  if (typeof promtool !== 'string') return context.skip(promtool.why);
  const fires = (alert: string, at: string, times: number) => ({
    expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
    eval_time: at,
    exp_samples: times === 0 ? [] : [{ labels: '{}', value: times }],
  });
  const tests = Object.entries(HAPPENS).map(([alert, series]) => ({
    name: alert,
    interval: '1m',
    input_series: series.map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [fires(alert, '55m', 0), fires(alert, '118m', 1), fires(alert, '230m', 0)],
  }));
  const [rulesFile, file] = ['rules.yaml', 'tests.yaml'].map((name) => join(folder, name)) as [string, string];
  writeFileSync(rulesFile, rules);
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }));
  const { status, stdout, stderr } = await run([promtool, 'test', 'rules', file], { anyExit: true });
  expect(status, `${stdout}${stderr}`).toBe(0);
}, 600_000);

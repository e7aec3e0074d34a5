/** Scripts beside the command, as a user calls them; a kubectl that answers from a table takes the place of a cluster. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { newKeyPair, selfSignedCertificate } from '@kubeocean/shared/tls';
import { parseKubeconfig } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const scripts = resolve(import.meta.dirname, '../../../scripts');

const KUBECTL = `#!/bin/sh
case "$*" in
  *current-context) echo context ;;
  *"cluster.server}") printf https://10.0.0.1:6443 ;;
  *certificate-authority-data}) printf "$CA" ;;
  *tls-server-name}) printf 1234 ;;
  *"get serviceaccount"*) echo serviceaccount/x ;;
  *{.type}) printf kubernetes.io/service-account-token ;;
  *{.data.token}) printf 1234 | base64 ;;
esac
`;

test('hack/kubeconfig.sh writes names of digits as names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-scripts-'));
  try {
    writeFileSync(join(folder, 'kubectl'), KUBECTL);
    chmodSync(join(folder, 'kubectl'), 0o755);
    const certificate = selfSignedCertificate(
      { commonName: 'test', organizations: [], ips: [], dnsNames: [] },
      newKeyPair(),
      new Date('2026-01-01T00:00:00Z'),
      new Date('2027-01-01T00:00:00Z'),
    );
    const file = join(folder, 'kubeconfig');
    const CA = Buffer.from(certificate).toString('base64');
    const env = { PATH: `${folder}:${process.env['PATH']}`, CA };
    const { stderr, status } = spawnSync('bash', [join(scripts, 'kubeconfig.sh'), '1234', '5678', file], {
      env,
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const text = readFileSync(file, 'utf8');
    expect(parse(text)).toMatchObject({
      users: [{ name: '1234', user: { token: '1234' } }],
      contexts: [{ context: { user: '1234', namespace: '5678' } }],
      clusters: [{ cluster: { 'tls-server-name': '1234' } }],
    });
    expect(parseKubeconfig(text, { trust: 'untrusted' })).toMatchObject({ namespace: '5678', token: '1234' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([['--foo'], ['up'], ['down', 'x']])('npm run demo -- %s is a wrong command line', (...given) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(scripts, 'demo.ts'), ...given], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^demo: .*\nnpm run demo {12}the tutorial/);
  expect(stderr).not.toContain('    at ');
});

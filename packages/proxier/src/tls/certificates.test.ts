import { X509Certificate } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mounted, selfSigned, type ServingCertificate } from './certificates.ts';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';

const stop = new AbortController();
afterEach(() => vi.useRealTimers());

function pair(commonName: string): ServingCertificate {
  const key = newKeyPair();
  const subject = { commonName, organizations: [], ips: ['10.0.0.1'], dnsNames: [] };
  const now = Date.now();
  return {
    cert: selfSignedCertificate(subject, key, new Date(now), new Date(now + 3_600_000)),
    key: privateKeyPem(key),
  };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('self-signed', () => {
  it('is for the pod’s address and made anew at 80 % of its life', async () => {
    vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') });
    const made: X509Certificate[] = [];
    const source = selfSigned({
      clusterID: 'cls',
      bindingName: 'b',
      podName: 'p',
      podIP: '10.0.0.1',
      now: () => new Date(),
      onError: (error) => {
        throw error;
      },
    });
    const running = source(({ cert }) => made.push(new X509Certificate(cert)), stop.signal);
    const day = 86_400_000;
    await vi.advanceTimersByTimeAsync(291 * day);
    expect(made.length).toBe(1);
    await vi.advanceTimersByTimeAsync(2 * day);
    expect(made.length).toBe(2);
    expect(made[1]?.checkIP('10.0.0.1')).toBe('10.0.0.1');
    expect(made[1]?.publicKey.equals(made[0]?.publicKey as never)).toBe(false);
    stop.abort();
    await running.catch(() => undefined);
  });
});

describe('mounted', () => {
  it('takes up a replaced certificate, and stays with the last when the new one is unusable', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeocean-mounted-'));
    const write = (certificate: ServingCertificate) => {
      for (const [name, text] of [
        ['tls.key', certificate.key],
        ['tls.crt', certificate.cert],
      ] as const) {
        writeFileSync(join(folder, `new-${name}`), text);
        renameSync(join(folder, `new-${name}`), join(folder, name));
      }
    };
    const [first, second] = [pair('first'), pair('second')];
    const used: ServingCertificate[] = [];
    const errors: string[] = [];
    const end = new AbortController();
    const source = mounted({ folder, onError: (error) => errors.push(error.message), checkEveryMs: 5 });
    const running = source((certificate) => used.push(certificate), end.signal);
    await until(() => errors.length > 0);
    expect(errors[0]).toMatch(/tls\.(crt|key)/);
    write(first);
    await until(() => used.length === 1);
    errors.length = 0;
    write({ cert: first.cert, key: second.key });
    await until(() => errors.length > 0);
    expect(errors[0]).toMatch(/tls\.key is not the key of the certificate/);
    write(second);
    await until(() => used.some(({ cert }) => cert === second.cert));
    expect(used.at(-1)).toEqual(second);
    // Gone: told once, however often it is looked for.
    errors.length = 0;
    rmSync(join(folder, 'tls.crt'));
    await until(() => errors.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(errors).toHaveLength(1);
    expect(used.at(-1)).toEqual(second);
    end.abort();
    await running;
    rmSync(folder, { recursive: true });
  });
});

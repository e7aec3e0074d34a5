import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startKwok } from './hollow.ts';

it('a kwok that does not start is told in its own words, not waited for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kwok-'));
  try {
    await expect(startKwok('/nonexistent/kwok', '/nonexistent/kubeconfig', folder, '10.0.0.0/16')).rejects.toThrow(
      /\/nonexistent\/kwok ended with 127: .*No such file/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

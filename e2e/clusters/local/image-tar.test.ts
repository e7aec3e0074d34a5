import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { buildImageTar, buildLayer, type ImageFile, nodeBaseLayer } from './image-tar.ts';
import { imageNames } from './images.ts';
import { run } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'image-tar-'));
afterAll(() => rmSync(folder, { recursive: true }));

const files: ImageFile[] = [
  { path: '/app/main.js', content: 'console.log(1)' },
  { path: '/app/link', link: 'main.js' },
  { path: '/tmp', folder: true, mode: 0o1777 },
  { path: `/long/${'folder/'.repeat(20)}file`, content: 'deep' },
];

async function listing(archive: Buffer): Promise<string> {
  const file = join(folder, 'archive.tar');
  writeFileSync(file, archive);
  return (await run(['tar', '-tvf', file, '--numeric-owner'])).stdout;
}

describe('buildLayer', () => {
  it('gives the same bytes for the same files in any order', () => {
    expect(buildLayer(files).digest).toBe(buildLayer(files.toReversed()).digest);
  });

  it('gives other bytes when a file or its mode changes', () => {
    const digest = buildLayer(files).digest;
    expect(buildLayer([...files, { path: '/app/main.js', content: 'console.log(2)' }]).digest).not.toBe(digest);
    expect(buildLayer([...files, { path: '/app/main.js', content: 'console.log(1)', mode: 0o600 }]).digest).not.toBe(
      digest,
    );
  });

  it('is read by tar, with parents before children, long names and modes', async () => {
    const lines = (await listing(buildLayer(files).tar)).trim().split('\n');
    const names = lines.map((line) => line.replace(/^.*\d\d:\d\d /, ''));
    expect(names).toContain('app/link -> main.js');
    expect(names).toContain(`long/${'folder/'.repeat(20)}file`);
    expect(names.indexOf('app/')).toBeLessThan(names.indexOf('app/main.js'));
    expect(lines.find((line) => line.endsWith(' tmp/'))).toMatch(/^drwxrwxrwt 0\/0 /);
  });

  it('refuses an entry that says nothing of its content', () => {
    expect(() => buildLayer([{ path: '/empty' }])).toThrow('/empty: say source, content, link or folder');
  });
});

describe('buildImageTar', () => {
  it('is deterministic and carries its names', () => {
    const image = {
      name: ['a:1', 'b:2'],
      files,
      entrypoint: ['/app/main.js'],
      user: '65532',
      env: { A: 'b' },
      workingDir: '/app',
    };
    expect(buildImageTar(image).equals(buildImageTar({ ...image, files: files.toReversed() }))).toBe(true);
    expect(imageNames(buildImageTar(image))).toEqual(['a:1', 'b:2']);
  });

  it('puts base layers below its own, and the same layer once', async () => {
    const base = buildLayer([{ path: '/base', content: 'x' }]);
    const text = await listing(buildImageTar({ name: 'a:1', baseLayers: [base, base], files }));
    expect(text.match(/layer\.tar/g)).toHaveLength(2);
  });

  it('refuses an image of nothing', () => {
    expect(() => buildImageTar({ name: 'a:1' })).toThrow('image a:1 has no files');
  });
});

describe('imageNames', () => {
  it('refuses what is no image', () => {
    expect(() => imageNames(buildLayer(files).tar)).toThrow('no manifest.json');
  });
});

describe('nodeBaseLayer', () => {
  it('holds the program, its loader and C library, and the user', async () => {
    const names = await listing((await nodeBaseLayer('/bin/sh')).tar);
    for (const name of ['usr/local/bin/node', 'libc.so.6', 'ld-linux', 'etc/passwd', 'home/nonroot/'])
      expect(names).toContain(name);
  });
});

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

import { checkout } from './paths.ts';
import { goIsNewEnough, moduleFolder, moduleHash, type ProgramName, programs } from './programs.ts';

it.each([
  ['go1.26.8', '1.25', true],
  ['go1.25', '1.25.0', true],
  ['go1.25.0', '1.25', true],
  ['go1.24.9', '1.25', false],
  ['go1.9', '1.25', false],
  ['go1.25.7', '1.26.0', false],
  ['go1.26rc1', '1.26.0', true],
  ['devel', '1.25', false],
])('Go %s for %s: %s', (have, want, enough) => {
  expect(goIsNewEnough(have, want)).toBe(enough);
});

it('the hash of a module changes with its sources and with nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'module-'));
  try {
    cpSync(join(checkout, 'e2e/programs/pause'), folder, { recursive: true });
    const hash = moduleHash(folder);
    expect(hash).toMatch(/^[0-9a-f]{12}$/);
    writeFileSync(join(folder, 'notes.txt'), 'no part of it');
    expect(moduleHash(folder)).toBe(hash);
    writeFileSync(join(folder, 'main.go'), 'package main');
    expect(moduleHash(folder)).not.toBe(hash);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('every program has its module in the repository', () => {
  for (const name of Object.keys(programs)) expect(moduleHash(moduleFolder(name as ProgramName))).toBeTruthy();
});

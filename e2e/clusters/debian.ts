/** Single programs out of Debian packages, unpacked into the cache of programs and never installed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './local/run.ts';
import { programCache } from './paths.ts';

/**
 * Path of `file` in the newest version of a Debian package that this machine's own apt offers; downloaded once.
 * @returns `{why}` where there is no apt-get, or it has no such package.
 */
export async function debianProgram(name: string, file: string): Promise<string | { why: string }> {
  const cache = join(programCache(), `debian-${name}`);
  const found = join(cache, file);
  if (existsSync(found)) return found;
  if (!existsSync('/usr/bin/apt-get')) return { why: `${name}: no apt-get on this machine to fetch the package with` };
  mkdirSync(programCache(), { recursive: true });
  const folder = mkdtempSync(`${cache}.new-`);
  try {
    await download(name, folder);
    const archive = readdirSync(folder).find((entry) => entry.endsWith('.deb'));
    await run(['dpkg-deb', '-x', join(folder, String(archive)), join(folder, 'root')]);
    if (!existsSync(join(folder, 'root', file))) throw new Error(`the package has no ${file}`);
    rmSync(cache, { recursive: true, force: true });
    renameSync(join(folder, 'root'), cache);
    return found;
  } catch (error) {
    return { why: `${name}: ${(error as Error).message}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function download(name: string, cwd: string): Promise<void> {
  const get = () => run(['apt-get', 'download', '-q', name], { cwd });
  try {
    await get();
  } catch {
    // A machine fresh from its image has no lists of packages.
    await run(['apt-get', 'update', '-q']);
    await get();
  }
}

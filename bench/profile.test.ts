import { describe, expect, it } from 'vitest';
import { profileProcess, selfTimes } from './profile.ts';

describe('a profile', () => {
  it('is summed by function', () => {
    const frame = (functionName: string) => ({ functionName, url: 'file:///app/main.js', lineNumber: 4 });
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('a') },
        { id: 2, callFrame: frame('b') },
      ],
      samples: [1, 2, 1],
      timeDeltas: [1000, 500, 2000],
    };
    expect(selfTimes(profile)).toEqual([
      ['a (main.js:5)', 3],
      ['b (main.js:5)', 0.5],
    ]);
  });
});

describe('taking a profile', () => {
  it('of a process that is not there fails in words, and ends nothing else', async () => {
    // Beyond the greatest number that Linux gives to a process.
    const never = new AbortController().signal;
    await expect(profileProcess(2 ** 22 + 1, 1, '/nonexistent/x', never)).rejects.toThrow(/profiler ended|ENOENT/);
  });

  it('ends with the bench', async () => {
    const stopped = AbortSignal.abort();
    await expect(profileProcess(process.pid, 60, '/nonexistent/x', stopped)).rejects.toThrow('abort');
  });
});

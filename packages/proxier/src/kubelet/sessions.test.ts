import { createLogger, Registry } from '@kubeocean/shared/daemon';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSessions, type SessionFacts } from './sessions.ts';

const user = { name: 'kube', groups: ['system:masters'] };

function facts(vnode: string): SessionFacts {
  return { verb: 'exec', vnode, user, namespace: 'ns', pod: 'web', podUID: 'u', workerPod: 'web-1' };
}

const END = { bytesUp: 1, bytesDown: 2, reason: 'ended' };

function make() {
  const registry = new Registry();
  return { registry, sessions: createSessions({ total: 3, perVnode: 2, log: createLogger('t', 'silent'), registry }) };
}

describe('sessions', () => {
  it('are bounded per vnode with 429 and in total with 503, and a place is free after the end', () => {
    const { sessions } = make();
    const first = sessions.open(facts('a'), () => undefined);
    sessions.open(facts('a'), () => undefined);
    expect(() => sessions.open(facts('a'), () => undefined)).toThrow(
      expect.objectContaining({ code: 429, message: expect.stringMatching(/^a has all its 2 sessions/) }) as Error,
    );
    sessions.open(facts('b'), () => undefined);
    expect(() => sessions.open(facts('b'), () => undefined)).toThrow(expect.objectContaining({ code: 503 }) as Error);
    first.end(END);
    first.end(END);
    expect(sessions.size).toBe(2);
    sessions.open(facts('b'), () => undefined);
  });

  it('are ended with their vnode, or all', () => {
    const { sessions } = make();
    const killed: string[] = [];
    sessions.open(facts('a'), (reason) => killed.push(`a ${reason}`));
    sessions.open(facts('b'), (reason) => killed.push(`b ${reason}`));
    sessions.killVnode('a', 'gone');
    expect(killed).toEqual(['a gone']);
    sessions.killAll('stop');
    expect(killed).toEqual(['a gone', 'a stop', 'b stop']);
  });

  it('are opened no more once all were ended: nobody would end one that was on its way, nor tell of it', async () => {
    const { sessions } = make();
    sessions.killAll('the proxier stopped');
    expect(() => sessions.open(facts('a'), () => undefined)).toThrow(
      expect.objectContaining({ code: 503, message: 'the proxier stopped: try again' }) as Error,
    );
    await sessions.empty();
  });

  it('tell when none is left, and count', async () => {
    const { sessions, registry } = make();
    await sessions.empty();
    const session = sessions.open(facts('a'), () => undefined);
    const other = sessions.open({ ...facts('a'), verb: 'log' }, () => undefined);
    let isEmpty = false;
    const empty = sessions.empty().then(() => (isEmpty = true));
    session.end(END);
    await new Promise(setImmediate);
    expect(isEmpty).toBe(false);
    other.end(END);
    await empty;
    const text = await registry.metrics();
    expect(text).toMatch(/kubeocean_proxier_sessions\{verb="exec"\} 0/);
    expect(text).toMatch(/kubeocean_proxier_sessions_total\{verb="exec"\} 1/);
    expect(text).toMatch(/kubeocean_proxier_session_bytes_total\{verb="exec",direction="down"\} 2/);
    expect(text).toMatch(/kubeocean_proxier_session_bytes_total\{verb="exec",direction="up"\} 1/);
  });

  it('are ended when nothing passes for a while, and when they are open for long', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const killed: string[] = [];
    const options = { total: 3, perVnode: 3, log: createLogger('t', 'silent'), registry: new Registry() };
    const sessions = createSessions({ ...options, idleSeconds: 10, maxSeconds: 25 });
    const kill = (name: string) => (reason: string) => killed.push(`${name}: ${reason}`);
    sessions.open(facts('a'), kill('idle'));
    const busy = sessions.open(facts('a'), kill('busy'));
    sessions.open(facts('a'), kill('ended')).end(END);
    vi.advanceTimersByTime(9_000);
    busy.active();
    expect(killed).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(killed).toEqual(['idle: nothing was sent for 10 s (--session-idle-seconds)']);
    vi.advanceTimersByTime(7_000);
    busy.active();
    vi.advanceTimersByTime(8_000);
    expect(killed.slice(1)).toContain('busy: open for 25 s (--session-max-seconds)');
    expect(killed.some((reason) => reason.startsWith('ended'))).toBe(false);
  });

  it('are ended with their pod or their worker, neither of which is watched for longer', () => {
    const watched: string[] = [];
    const kills: Record<string, (reason: string) => void> = {};
    const sessions = createSessions({
      total: 3,
      perVnode: 3,
      log: createLogger('t', 'silent'),
      registry: new Registry(),
      watchPod(pod, gone) {
        watched.push(`pod ${Object.values(pod).join(' ')}`);
        kills['pod'] = gone;
        return () => void watched.push('pod unwatched');
      },
      watchWorker(silent) {
        kills['worker'] = silent;
        return { heard: () => void watched.push('heard'), stop: () => void watched.push('worker unwatched') };
      },
    });
    const killed: string[] = [];
    const session = sessions.open(facts('a'), (reason) => killed.push(reason));
    session.heard();
    kills['pod']?.('');
    kills['worker']?.('silent');
    expect(killed).toEqual(['the pod is gone', 'silent']);
    for (let times = 0; times < 2; times++) session.end(END);
    expect(watched).toEqual(['pod a ns web u', 'heard', 'worker unwatched', 'pod unwatched']);
  });
});

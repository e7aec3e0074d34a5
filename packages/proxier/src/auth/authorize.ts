/**
 * Whether a caller may: asked of the API server as a kubelet asks it, about `nodes/<subresource>` of the vnode whose
 * port was called. https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
 */
import { type KubeClient, type KubeObject, SubjectAccessReviews } from '@kubeocean/shared/kube';
import type { User } from './authenticate.ts';
import { createCache } from '@kubeocean/shared/daemon';

export interface Question {
  verb: string;
  /** Subresources of nodes, any of which suffices; the finest first. */
  subresources: readonly string[];
  /** Sessions are asked about anew each time. */
  session: boolean;
}

export type Authorizer = (user: User, vnode: string, question: Question) => Promise<boolean>;

const VERBS: Record<string, string> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * What must be allowed for a request. Paths are matched by whole first segments, as the kubelet does (pkg/kubelet/server/auth.go).
 * exec, attach, portForward and run need `create` whatever the method: over WebSocket they arrive as GET, and a right
 * to look must not open a shell.
 */
export function questionOf(method: string, firstSegment: string): Question {
  const verb = VERBS[method] ?? 'proxy';
  switch (firstSegment) {
    case 'exec':
    case 'attach':
    case 'portForward':
    case 'run':
    case 'cri':
      return { verb: 'create', subresources: ['proxy'], session: true };
    case 'stats':
      return { verb, subresources: ['stats'], session: false };
    case 'metrics':
      return { verb, subresources: ['metrics'], session: false };
    case 'logs':
      return { verb, subresources: ['log'], session: false };
    case 'checkpoint':
      return { verb, subresources: ['checkpoint'], session: false };
    case 'healthz':
    case 'configz':
      return { verb, subresources: [firstSegment, 'proxy'], session: false };
    case 'pods':
    case 'runningpods':
      return { verb, subresources: ['pods', 'proxy'], session: false };
    default:
      return { verb, subresources: ['proxy'], session: false };
  }
}

interface SubjectAccessReview extends KubeObject {
  status?: { allowed?: boolean; denied?: boolean };
}

const ALLOWED_MS = 60_000;
const DENIED_MS = 10_000;

/** @throws ApiError or ConnectionError (from the returned function) when the API server cannot be asked. */
export function createAuthorizer(client: KubeClient): Authorizer {
  const answers = createCache<boolean>({ holdMs: (allowed) => (allowed ? ALLOWED_MS : DENIED_MS), bound: 8192 });

  async function review(user: User, vnode: string, verb: string, subresource: string): Promise<boolean> {
    const answer = await client.create<SubjectAccessReview>(
      SubjectAccessReviews,
      {
        metadata: {},
        spec: {
          user: user.name,
          groups: user.groups,
          ...(user.uid && { uid: user.uid }),
          ...(user.extra && { extra: user.extra }),
          resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: vnode },
        },
      },
      { timeoutMs: 10_000 },
    );
    return answer.status?.allowed === true && answer.status.denied !== true;
  }

  return async (user, vnode, question) => {
    for (const subresource of question.subresources) {
      const ask = () => review(user, vnode, question.verb, subresource);
      const key = JSON.stringify([user.name, user.uid, user.groups, user.extra, vnode, question.verb, subresource]);
      if (await (question.session ? ask() : answers.get(key, ask))) return true;
    }
    return false;
  };
}

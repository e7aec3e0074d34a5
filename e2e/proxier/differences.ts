/** Where a vnode answers otherwise than a kubelet of Kubernetes 1.34, and why. docs/proxier.md tells it to users. */

export interface Difference {
  kubelet: [code: number, text?: string];
  vnode: [code: number, text?: string];
  why: string;
}

type Answers = [name: string, kubelet: Difference['kubelet'], vnode: Difference['vnode']];

const differences: [why: string, answers: Answers[]][] = [
  [
    'a client\u2019s mistake is 400, not 500',
    ['exec', 'attach', 'portForward'].flatMap((kind): Answers[] =>
      ['GET', 'POST'].map((method) => [
        `${kind} by ${method}, no upgrade`,
        [500, 'Upgrade request required'],
        [400, 'Upgrade request required'],
      ]),
    ),
  ],
  [
    'only the two protocols of Kubernetes are spoken, and this is said first',
    [
      ...['exec', 'attach'].map(
        (kind): Answers => [
          `${kind} to another protocol`,
          [400, 'unable to upgrade: X-Stream-Protocol-Version is required'],
          [400, 'unable to upgrade: only SPDY/3.1 and websocket are spoken here'],
        ],
      ),
      [
        'portForward to another protocol',
        [500, 'invalid upgrade response: status code 200'],
        [400, 'unable to upgrade: only SPDY/3.1 and websocket are spoken here'],
      ],
    ],
  ],
  [
    'refused before a session is opened that could do nothing',
    [['exec of no command', [101, ''], [400, 'you must specify a command']]],
  ],
  [
    'the text names the option',
    [
      ...['tailLines=', 'tailLines=x', 'tailLines=1.5', 'tailLines=99999999999999999999'].map((query) =>
        undecodable(query, 'tailLines must be a whole number'),
      ),
      undecodable('limitBytes=x', 'limitBytes must be a whole number'),
      undecodable('sinceSeconds=x', 'sinceSeconds must be a whole number'),
      undecodable('sinceTime=yesterday', 'sinceTime must be an RFC 3339 time'),
      invalid('tailLines=-1', 'tailLines must be at least 0'),
      invalid('limitBytes=0', 'limitBytes must be at least 1'),
      invalid('limitBytes=-1', 'limitBytes must be at least 1'),
      invalid('sinceSeconds=0', 'sinceSeconds must be at least 1'),
      invalid('sinceSeconds=-5', 'sinceSeconds must be at least 1'),
      invalid(
        'sinceTime=2020-01-01T00:00:00Z&sinceSeconds=5',
        'at most one of sinceTime and sinceSeconds may be given',
      ),
      invalid('stream=stdout', 'stream must be All, Stdout or Stderr'),
      [
        'portForward to port x, WebSocket',
        [400, 'unable to parse "x" as a port: strconv.ParseUint: parsing "x": invalid syntax'],
        [400, '"x" is not a port'],
      ],
    ],
  ],
  [
    'the worker\u2019s API server checks the options of a log before its kubelet does',
    [
      ...['Stdout', 'Stderr'].map(
        (stream): Answers => [
          `logs stream=${stream}`,
          [
            400,
            `unable to return the given log stream: "${stream}". Please enable PodLogsQuerySplitStreams feature gate in kubelet`,
          ],
          [422, 'PodLogOptions "{web}" is invalid: stream: Forbidden: may not be specified'],
        ],
      ),
      [
        'logs stream=Stdout&tailLines=1',
        [422, '{"message": "Invalid request."}'],
        [422, 'PodLogOptions "{web}" is invalid: stream: Forbidden: may not be specified'],
      ],
    ],
  ],
  [
    'a right to look opens no shell, whatever the method',
    [
      [
        'exec by GET, a stranger',
        [403, 'Forbidden (user=stranger, verb=get, resource=nodes, subresource(s)=[proxy])'],
        [403, 'Forbidden (user=stranger, verb=create, resource=nodes, subresource(s)=[proxy])'],
      ],
    ],
  ],
  [
    'who may nothing is not told what there is',
    [
      ['an unknown path, nobody', [404, '404 page not found'], [401, 'Unauthorized']],
      [
        'an unknown path, a stranger',
        [404, '404 page not found'],
        [403, 'Forbidden (user=stranger, verb=get, resource=nodes, subresource(s)=[proxy])'],
      ],
    ],
  ],
  [
    'no redirects: the path is answered, or is none',
    [
      ['runningpods', [307], [200]],
      ['stats', [307], [404]],
      ['exec without a container', [404, '404: Page Not Found'], [404, '404 page not found']],
    ],
  ],
  [
    'about the node or its kubelet, which are the worker\u2019s owner\u2019s',
    [
      ['configz', [200], [404]],
      ['metrics', [200], [404]],
      ['logs of the node', [200], [404]],
      ['debug', [200], [404]],
      ['checkpoint', [500], [404]],
      ['healthz/ping', [200], [404]],
    ],
  ],
  ['exec does the same, and is authorised for it', [['run', [200], [404]]]],
];

function undecodable(query: string, text: string): Answers {
  return [`logs ${query}`, [400, '{"message": "Unable to decode query."}'], [400, text]];
}

function invalid(query: string, text: string): Answers {
  return [`logs ${query}`, [422, '{"message": "Invalid request."}'], [422, text]];
}

export const DIFFERENCES: Record<string, Difference> = Object.fromEntries(
  differences.flatMap(([why, answers]) => answers.map(([name, kubelet, vnode]) => [name, { kubelet, vnode, why }])),
);

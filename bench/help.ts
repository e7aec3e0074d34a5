/** What `npm run bench -- --help` prints. */

export const help = `How fast pods become Ready, how much that costs, against a direct write and against the limit.

usage: npm run bench -- [flags]        (clusters: npm run cluster -- up --nodes 1)

What is run
  --quick               short form for CI: 100 pods, one run of each mode, restart; fails on wide ratios only
  --full                the whole table: sizes 100 to 10,000, 10 and 100 nodes, 1 and 4 bindings, all scenarios;
                        hours: use --max-minutes
  --pods LIST           numbers of pods, 1 to 20000 (default 100,1000)
  --nodes LIST          numbers of hollow nodes on each side, 1 to 500 (default 10)
  --bindings LIST       numbers of bindings that share the nodes, 1 to 8 (default 1)
  --cases LIST          instead of the three: PODSxNODESxBINDINGS, such as 1000x10x1,1000x100x4
  --runs N              runs of each size and mode, interleaved, each begun by another mode, 1 to 20 (default 3)
  --modes LIST          of direct (generator to worker cluster), twin (the same load to both clusters at once),
                        through (home pods on vnodes) (default all)
  --scenarios LIST      of load, single (one pod at a time), idle, restart (with all pods there), storm (the status of
                        all pods changes within 10 s), tenants (one with all pods, ten with 10)
                        (default load,single,idle,restart)
  --creators N          parallel writers of the generator on each side, 1 to 200 (default 20)
  --idle-seconds N      length of the idle measurement, 5 to 3600 (default 120)
  --single N            pods, one at a time, of the single scenario, 1 to 1000 (default 30)
  --timeout-seconds N   longest a run may take to make or to delete its pods, 10 to 7200 (default 900)
  --max-minutes N       begin no run after so long, 1 to 1440 (default 600); what is left out is told as a problem

What is measured
  --computing FILE      kubeconfig of the computing cluster, an administrator's (default .local/computing.kubeconfig)
  --worker FILE         kubeconfig of the worker cluster (default .local/worker-1.kubeconfig)
  --system WHAT         charts: install the charts of this checkout (default); installed: use what is installed there
  --binding-prefix P    ClusterBindings and policies are made as P-1, P-2, ... (default bench)
  --mount-namespace N   namespace of the worker that receives the pods; no others may be in it (default kubeocean-worker)
  --secret NS/NAME      Secret with the worker's kubeconfig (default kubeocean-system/bench-worker-kubeconfig; made when
                        --system is charts)
  --direct-scheduling   bindings with directScheduling: worker pods name their node instead of asking the scheduler there
  --processes NS,NS     namespaces whose pods are the measured processes, in the computing cluster and in the worker;
                        on another machine their CPU and memory are not measured (default kubeocean-system,kubeocean-agent)
  --restart-selector S  label selector of the pods that the restart scenario deletes (default kubeocean.io/component=syncer)
  --kwok FILE           program that plays the hollow nodes (default: the one this checkout builds when it is missing)

Output
  --output FOLDER       latest.json (runs that count), details.json (everything), latency.svg (default .local/bench)
  --continue            keeps the runs that the folder has already, if they were measured in the same way: a long table in
                        several goes. Ratios are of medians of all of them, so let each size have its direct, twin and
                        through in one go
  --profile-seconds N   takes a CPU profile of the leading syncer during the first N seconds of each "through" run; those
                        runs are slower and do not count
  --keep                leaves hollow nodes, bindings, policies and namespaces for a look, with one number of nodes and
                        bindings only. kwok ends with the bench, so the nodes become NotReady; the next run clears them away
  --help

It ends with 0 when all went well, 1 when something failed, 2 when the command line is refused, 3 when --quick missed
nothing but the ratio of p99, as on a machine that was busy with something else.
`;

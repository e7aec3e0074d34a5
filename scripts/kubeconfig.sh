#!/usr/bin/env bash
# Writes a kubeconfig for a ServiceAccount of the cluster that kubectl talks to now: its API server's address and CA from
# kubectl's current context, the token from the Secret of the ServiceAccount's name. Make a Secret of it in the computing
# cluster, under the key "kubeconfig", for a ClusterBinding to refer to.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: bash hack/kubeconfig.sh <serviceaccount> <namespace> <file>

  serviceaccount  in the worker cluster, e.g. kubeocean-syncer (made by charts/kubeocean-worker)
  namespace       of the ServiceAccount, e.g. kubeocean-worker; pods will run in it
  file            the kubeconfig to write (mode 0600; replaced if it exists)

kubectl's current context (or $KUBECONFIG) must be the worker cluster.
USAGE
}

fail() {
  echo "kubeconfig.sh: $*" >&2
  exit 1
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
if [ $# -ne 3 ] || [ -z "$1" ] || [ -z "$2" ] || [ -z "$3" ]; then
  echo "kubeconfig.sh: three arguments are needed, $# given" >&2
  usage >&2
  exit 2
fi
account=$1 namespace=$2 file=$3

command -v kubectl >/dev/null || fail "kubectl is not in the PATH; install it and try again"
directory=$(dirname -- "$file")
[ -d "$directory" ] || fail "the directory $directory does not exist; create it or name another file"
[ -w "$directory" ] || fail "the directory $directory is not writable for you; name another file"
[ ! -d "$file" ] || fail "$file is a directory; name a file in it"

config() {
  kubectl config view --minify --raw --flatten -o "jsonpath={$1}"
}
context=$(kubectl config current-context 2>/dev/null) ||
  fail "kubectl has no current context; set KUBECONFIG, or run: kubectl config use-context <worker cluster>"
server=$(config '.clusters[0].cluster.server')
[ -n "$server" ] || fail "the context $context names no server; check it with: kubectl config view --minify"
ca=$(config '.clusters[0].cluster.certificate-authority-data')
server_name=$(config '.clusters[0].cluster.tls-server-name')

case "$server" in
  https://*) ;;
  *) fail "the server of the context $context is $server; only https is accepted by ClusterBindings" ;;
esac
case "$server" in
  https://127.* | https://localhost | https://localhost[:/]* | https://\[::1\]*)
    echo "kubeconfig.sh: warning: the server is $server; pods of the computing cluster cannot reach 127.0.0.1 of this" \
      "machine. Use a context with an address they can reach, or edit \"server\" in $file." >&2
    ;;
esac

# What kubectl says is shown when it is not just that the object is missing.
if ! error=$(kubectl -n "$namespace" get serviceaccount "$account" -o name 2>&1 >/dev/null); then
  case "$error" in
    *NotFound*) fail "ServiceAccount $account not found in the namespace $namespace of $server (context $context);" \
      "install charts/kubeocean-worker there, or switch kubectl to the worker cluster" ;;
    *) fail "cannot read ServiceAccount $namespace/$account from $server (context $context): $error" ;;
  esac
fi

# Kubernetes fills in the token a moment after the Secret was made.
secret() {
  kubectl -n "$namespace" get secret "$account" --ignore-not-found -o "jsonpath={$1}"
}
type=$(secret .type)
[ -n "$type" ] || fail "Secret $namespace/$account not found; it must be of the type" \
  "kubernetes.io/service-account-token with the annotation kubernetes.io/service-account.name: $account" \
  "(charts/kubeocean-worker makes it)"
[ "$type" = kubernetes.io/service-account-token ] || fail "Secret $namespace/$account is of the type $type;" \
  "it must be kubernetes.io/service-account-token: delete it and install charts/kubeocean-worker again"
token=
for _ in $(seq 20); do
  token=$(secret .data.token | base64 -d)
  [ -z "$token" ] || break
  sleep 0.5
done
[ -n "$token" ] || fail "Secret $namespace/$account has no token after 10 s; its annotation" \
  "kubernetes.io/service-account.name must be $account, and the cluster's controller-manager must be running"
if [ -z "$ca" ]; then
  echo "kubeconfig.sh: warning: the context $context has no CA of its own; taking the one in the Secret" >&2
  ca=$(secret '.data.ca\.crt')
fi

# As YAML text, whatever it says: a ServiceAccount may be called 1234, which would be read as a number.
quoted() {
  local text=$1 quote="'"
  printf "'%s'" "${text//$quote/$quote$quote}"
}

umask 077
temporary=$(mktemp "$file.XXXXXX")
trap 'rm -f "$temporary"' EXIT
{
  cat <<CONFIG
apiVersion: v1
kind: Config
clusters:
  - name: worker
    cluster:
      server: $(quoted "$server")
      certificate-authority-data: $(quoted "$ca")
CONFIG
  [ -z "$server_name" ] || echo "      tls-server-name: $(quoted "$server_name")"
  cat <<CONFIG
users:
  - name: $(quoted "$account")
    user:
      token: $(quoted "$token")
contexts:
  - name: worker
    context:
      cluster: worker
      user: $(quoted "$account")
      namespace: $(quoted "$namespace")
current-context: worker
CONFIG
} >"$temporary"
mv -f "$temporary" "$file"
trap - EXIT
echo "kubeconfig.sh: wrote $file for $namespace/$account at $server"

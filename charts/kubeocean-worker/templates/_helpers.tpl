{{/* Namespace of the agent. Fixed: no computing cluster has any right in it. */}}
{{- define "kubeocean-worker.namespace" -}}
kubeocean-agent
{{- end }}

{{- define "kubeocean-worker.labels" -}}
app.kubernetes.io/part-of: kubeocean
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select the agent's pods; they never change. */}}
{{- define "kubeocean-worker.selector" -}}
app.kubernetes.io/name: kubeocean-worker-agent
kubeocean.io/component: worker-agent
{{- end }}

{{/* Whether this release makes a namespace of that name: (list $ "name"). Not when it is the release's own, nor when
     somebody else made it. */}}
{{- define "kubeocean-worker.makesNamespace" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $found := lookup "v1" "Namespace" "" $name -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" ($found | default dict) -}}
{{- if and (ne $root.Release.Namespace $name) (or (not $found) (eq $owner $root.Release.Name)) -}}
true
{{- end -}}
{{- end }}

{{/* Groups of the ServiceAccounts of the mount namespaces, as a CEL list: whoever acts from one of them is a tenant. */}}
{{- define "kubeocean-worker.tenantGroups" -}}
{{- $groups := list -}}
{{- range .Values.tenants }}{{ $groups = append $groups (printf "system:serviceaccounts:%s" .namespace) }}{{ end -}}
{{- toJson $groups -}}
{{- end }}

{{/* Selects the mount namespaces, by the label that the API server keeps on every namespace. */}}
{{- define "kubeocean-worker.tenantNamespaces" -}}
{{- $names := list -}}
{{- range .Values.tenants }}{{ $names = append $names .namespace }}{{ end -}}
matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: {{ toJson $names }}}]
{{- end }}

{{/* Whether Pod Security holds a namespace to less than podSecurity says, because this release does not make it and whoever
     did has not labelled it: (list $ "name"). */}}
{{- define "kubeocean-worker.lacksPodSecurity" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $stricter := dict "privileged" (list "" "privileged" "baseline" "restricted") "baseline" (list "baseline" "restricted") "restricted" (list "restricted") -}}
{{- $found := lookup "v1" "Namespace" "" $name | default dict -}}
{{- $level := dig "metadata" "labels" "pod-security.kubernetes.io/enforce" "" $found -}}
{{- if not (or (include "kubeocean-worker.makesNamespace" .) (has $level (get $stricter $root.Values.podSecurity))) -}}
true
{{- end -}}
{{- end }}

{{/* Fails when leases have not ended in a namespace that was a tenant's and is none any more. The agent would have no right
     there: nobody would end them or take their pods back. Former tenants are those of the agent that is installed, and
     the namespaces that this release has made. Without a cluster (helm template) there are none. */}}
{{- define "kubeocean-worker.endedBefore" -}}
{{- $given := list -}}
{{- range .Values.tenants }}{{ $given = append $given .namespace }}{{ end -}}
{{- $former := list -}}
{{- $config := lookup "v1" "ConfigMap" (include "kubeocean-worker.namespace" .) "kubeocean-agent" | default dict -}}
{{- range dig "data" "tenants.json" "[]" $config | fromJsonArray -}}
{{- if kindIs "map" . }}{{ $former = append $former .namespace }}{{ end -}}
{{- end -}}
{{- range (lookup "v1" "Namespace" "" "").items -}}
{{- $mount := dig "metadata" "labels" "kubeocean.io/mount-namespace" "" . -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" . -}}
{{- if and (eq $mount "true") (eq $owner $.Release.Name) }}{{ $former = append $former .metadata.name }}{{ end -}}
{{- end -}}
{{- /* Before the first installation there is no such kind, and looking it up would fail. */ -}}
{{- if .Capabilities.APIVersions.Has "cloud.tencent.com/v1beta1/LeasedNode" -}}
{{- range uniq $former -}}
{{- $records := (lookup "cloud.tencent.com/v1beta1" "LeasedNode" . "").items -}}
{{- if and $records (not (has . $given)) -}}
{{- fail (printf "tenants: leases have not ended in the namespace %s (LeasedNodes left: %d), and nobody could end them once it is no tenant's. Keep it in the list, give its claims back by \"kubectl -n %s annotate lease -l kubeocean.io/claim=true kubeocean.io/release=true\", wait until \"kubectl -n %s get leasednodes\" finds none, then take it out; see docs/leasing.md" . (len $records) . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

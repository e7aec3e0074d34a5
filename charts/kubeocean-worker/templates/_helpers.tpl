{{/* Namespace of the agent. Fixed: no computing cluster has any right in it. */}}
{{- define "kubeocean-worker.namespace" -}}
kubeocean-agent
{{- end }}

{{- define "kubeocean-worker.labels" -}}
app.kubernetes.io/part-of: kubeocean
app.kubernetes.io/instance: {{ .Release.Name }}
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

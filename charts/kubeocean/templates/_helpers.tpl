{{/* Namespace of everything in this chart. Fixed: bindings, Secrets and the RBAC of the daemons name it. */}}
{{- define "kubeocean.namespace" -}}
kubeocean-system
{{- end }}

{{- define "kubeocean.labels" -}}
app.kubernetes.io/part-of: kubeocean
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select the manager's pods; they never change. */}}
{{- define "kubeocean.managerSelector" -}}
app.kubernetes.io/name: kubeocean-manager
kubeocean.io/component: manager
{{- end }}

{{/* Image reference of one process: (list $ "manager"). */}}
{{- define "kubeocean.image" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{ $values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* Whether this release makes a namespace of that name: (list $ "name"). Not when it is the release's own, nor when
     somebody else made it. */}}
{{- define "kubeocean.makesNamespace" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $found := lookup "v1" "Namespace" "" $name -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" ($found | default dict) -}}
{{- if and (ne $root.Release.Namespace $name) (or (not $found) (eq $owner $root.Release.Name)) -}}
true
{{- end -}}
{{- end }}

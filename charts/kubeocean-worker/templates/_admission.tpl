{{/* What admission policies hold a caller to, as matchConditions and validations of a ValidatingAdmissionPolicy.
     who: CEL, true for requests of that caller; rules: a YAML list of {expression, message or messageExpression}.

     The API server makes the objects of a request ready for CEL anew for the conditions, for the validations, for their
     messages and for audit annotations, which costs far more than the rules. So the conditions ask already whether a rule
     is broken, and all else is only looked at then, to say which. Conditions know no variables: rules spell them out.
     A rule that cannot be evaluated counts as broken (failurePolicy: Fail). docs/decisions/0018. */}}
{{- define "kubeocean-worker.ruled" -}}
matchConditions:
  - name: {{ .name }}-against-a-rule
    expression: {{ printf "%s && !(%s)" .who (include "kubeocean-worker.allOf" .rules) | toRawJson }}
validations:
  {{- include "kubeocean-worker.asValidations" .rules | trim | nindent 2 }}
{{- end }}

{{/* Rules as one CEL expression that is true when all are kept. */}}
{{- define "kubeocean-worker.allOf" -}}
{{- $kept := list }}
{{- range fromYamlArray . }}{{ $kept = append $kept (printf "(%s)" .expression) }}{{ end -}}
{{- join " && " $kept }}
{{- end }}

{{/* Rules as a list of validations. */}}
{{- define "kubeocean-worker.asValidations" -}}
{{- range fromYamlArray . }}
- expression: {{ toRawJson .expression }}
  reason: Forbidden
  {{- with .message }}
  message: {{ toRawJson . }}
  {{- end }}
  {{- with .messageExpression }}
  messageExpression: {{ toRawJson . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* CEL: the request is a tenant's. */}}
{{- define "kubeocean-worker.ofTenant" -}}
request.userInfo.groups.exists(group, group in {{ include "kubeocean-worker.tenantGroups" . }})
{{- end }}

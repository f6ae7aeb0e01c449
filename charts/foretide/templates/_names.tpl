{{/* The release's name, as prefix of everything. */}}
{{- define "foretide.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of everything; takes (dict "root" $ "service" name-or-empty). */}}
{{- define "foretide.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/part-of: foretide
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{ include "foretide.selector" . }}
{{- end -}}

{{/* Labels that select the pods of a service. */}}
{{- define "foretide.selector" -}}
app.kubernetes.io/name: foretide
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .service }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "foretide.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "foretide.name" .) -}}
{{- end -}}

{{- define "foretide.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Foretide's configuration file: what the chart knows, and `config` over it. */}}
{{- define "foretide.config" -}}
{{- $listen := dict "host" "0.0.0.0" -}}
{{- $peers := dict -}}
{{- range $service, $values := .Values.services -}}
{{- $key := $service | replace "-" "_" -}}
{{- $_ := set $listen $key (int $values.port) -}}
{{- if ne $service "console" -}}
{{- $_ := set $peers $key (printf "http://%s-%s:%d" (include "foretide.name" $) $service (int $values.port)) -}}
{{- end -}}
{{- end -}}
{{- $written := dict
  "data_dir" "/var/lib/foretide"
  "listen" $listen
  "peers" $peers
  "database" (dict "url" "${FORETIDE_DATABASE_URL}")
  "lake" .Values.lake
  "identity" (dict "service_token" "${FORETIDE_SERVICE_TOKEN}")
  "auditor" (dict "audit" (dict "signing_key" "${FORETIDE_AUDIT_SIGNING_KEY}"))
  "ingestion" (dict "pseudonym_key" "${FORETIDE_PSEUDONYM_KEY}")
  "telemetry" (dict "format" "json")
  "onnx" (dict "library" .Values.onnxLibrary)
-}}
{{- mustMergeOverwrite $written (deepCopy .Values.config) | toYaml -}}
{{- end -}}

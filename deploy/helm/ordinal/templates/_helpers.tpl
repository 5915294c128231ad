{{- define "ordinal.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is appended. A release called ordinal needs no second "ordinal" in its names. */}}
{{- define "ordinal.fullname" -}}
{{- $name := include "ordinal.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ordinal.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ordinal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ordinal.labels" -}}
{{ include "ordinal.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "ordinal.serviceAccount" -}}
{{- default (ternary (include "ordinal.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "ordinal.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do to objects in a namespace: each verb is used, and the comment says by what. */}}
{{- define "ordinal.rules" -}}
# get: the live read before an adoption (S-2.5). list, watch: the cache.
- apiGroups: [apps.ordinal.dev]
  resources: [ordinalsets]
  verbs: [get, list, watch]
# patch: counters and conditions.
- apiGroups: [apps.ordinal.dev]
  resources: [ordinalsets/status]
  verbs: [patch]
# update: where OwnerReferencesPermissionEnforcement is on, for owner references with blockOwnerDeletion.
- apiGroups: [apps.ordinal.dev]
  resources: [ordinalsets/finalizers]
  verbs: [update]
# create, delete: pods. patch: adoption, release, the label of the name.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, create, patch, delete]
# update: where OwnerReferencesPermissionEnforcement is on, for claims that a pod owns (whenScaled: Delete).
- apiGroups: [""]
  resources: [pods/finalizers]
  verbs: [update]
# create: claims. patch: their owners (retention). delete is never called; OwnerReferencesPermissionEnforcement asks for it of
# whoever sets an owner reference.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, create, patch, delete]
# create, patch: the governing Service where there is none.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch, create, patch]
# create, delete: history. patch: its numbers, adoption.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list, watch, create, patch, delete]
# create, patch: what was done, and what failed.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "liqmon.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "liqmon.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "liqmon.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "liqmon.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels that select; they may not change between two versions. */}}
{{- define "liqmon.selector" -}}
app.kubernetes.io/name: {{ include "liqmon.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "liqmon.labels" -}}
{{ include "liqmon.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "liqmon.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "liqmon.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "liqmon.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "liqmon.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "liqmon.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What every process needs to reach Kafka and Redis. */}}
{{- define "liqmon.env" -}}
- name: LIQMON_BROKERS
  value: {{ required "kafka.brokers is needed: host:port,host:port" .Values.kafka.brokers | quote }}
- name: LIQMON_TOPIC_PREFIX
  value: {{ .Values.kafka.topicPrefix | quote }}
- name: LIQMON_PARTITIONS
  value: {{ .Values.kafka.partitions | quote }}
{{- with .Values.kafka.replication }}
- name: LIQMON_REPLICATION
  value: {{ . | quote }}
{{- end }}
- name: LIQMON_SECURITY_PROTOCOL
  value: {{ .Values.kafka.securityProtocol | quote }}
{{- if hasPrefix "SASL_" .Values.kafka.securityProtocol }}
- name: LIQMON_SASL_MECHANISM
  value: {{ .Values.kafka.saslMechanism | quote }}
- name: LIQMON_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ required "kafka.existingSecret is needed with SASL" .Values.kafka.existingSecret | quote }}
      key: username
- name: LIQMON_SASL_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .Values.kafka.existingSecret | quote }}, key: password}
{{- end }}
{{- if .Values.kafka.tls.existingSecret }}
- name: LIQMON_SSL_CAFILE
  value: /run/tls/kafka/ca.crt
{{- if .Values.kafka.tls.clientCertificate }}
- name: LIQMON_SSL_CERTFILE
  value: /run/tls/kafka/tls.crt
- name: LIQMON_SSL_KEYFILE
  value: /run/tls/kafka/tls.key
{{- end }}
{{- end }}
- name: LIQMON_REDIS_URL
  value: {{ .Values.redis.url | quote }}
{{- if .Values.redis.cluster }}
- name: LIQMON_REDIS_CLUSTER
  value: "true"
{{- end }}
{{- with .Values.redis.existingSecret }}
- name: LIQMON_REDIS_USERNAME
  valueFrom:
    secretKeyRef: {name: {{ . | quote }}, key: username}
- name: LIQMON_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ . | quote }}, key: password}
{{- end }}
{{- if .Values.redis.tls.existingSecret }}
- name: LIQMON_REDIS_SSL_CAFILE
  value: /run/tls/redis/ca.crt
{{- end }}
- name: LIQMON_CLOCK
  value: {{ .Values.clock | quote }}
- name: LIQMON_LOG_FORMAT
  value: json
- name: LIQMON_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- end }}

{{- define "liqmon.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.kafka.tls.existingSecret }}
- name: kafka-tls
  mountPath: /run/tls/kafka
  readOnly: true
{{- end }}
{{- if .Values.redis.tls.existingSecret }}
- name: redis-tls
  mountPath: /run/tls/redis
  readOnly: true
{{- end }}
{{- end }}

{{/* Nothing that is kept: the journal is on Kafka. */}}
{{- define "liqmon.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- with .Values.kafka.tls.existingSecret }}
- name: kafka-tls
  secret: {secretName: {{ . | quote }}, defaultMode: 288}
{{- end }}
{{- with .Values.redis.tls.existingSecret }}
- name: redis-tls
  secret: {secretName: {{ . | quote }}, defaultMode: 288}
{{- end }}
{{- end }}

#!/usr/bin/env bash
# Lints and renders the chart with every file of ci/, and validates what comes out against the
# schemas of Kubernetes. Installs nothing; says plainly what it could not do, and exits with 3 then.
#
#   HELM, KUBECONFORM     the programs, if they are not on the PATH
#   KUBERNETES_SCHEMAS    a folder of JSON schemas, such as the one in the PyPI package
#                         kubernetes-validate: …/kubernetes_validate/kubernetes-json-schema
#   PYTHON                where that package is, if it is not installed in .venv
#   KUBERNETES_VERSIONS   versions to validate against, by default the oldest and the newest
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
chart="$here/liqmon"
out="${1:-$(mktemp -d)}"
mkdir -p "$out"
missed=()

program() { # NAME PATH-OR-EMPTY
    local found="${2:-}"
    [[ -n "$found" ]] || found="$(command -v "$1" || true)"
    [[ -n "$found" && -x "$found" ]] && echo "$found"
}

schemas() {
    local python
    if [[ -n "${KUBERNETES_SCHEMAS:-}" ]]; then
        echo "$KUBERNETES_SCHEMAS"
        return
    fi
    for python in "${PYTHON:-python3}" "$here/../../.venv/bin/python"; do
        "$python" -c 'import importlib.util, pathlib
spec = importlib.util.find_spec("kubernetes_validate")
print(pathlib.Path(spec.origin).parent / "kubernetes-json-schema")' 2>/dev/null && return
    done
    return 1
}

finish() {
    if ((${#missed[@]})); then
        printf 'NOT CHECKED: %s\n' "${missed[@]}"
        exit 3
    fi
    echo "the chart is checked"
    exit 0
}

helm="$(program helm "${HELM:-}")" || {
    missed+=("the chart: helm is not on the PATH (go install helm.sh/helm/v3/cmd/helm@latest)")
    finish
}
folder="$(schemas)" || folder=""
read -r -a versions <<<"${KUBERNETES_VERSIONS:-}"
if [[ -n "$folder" && ${#versions[@]} -eq 0 ]]; then
    # Those that the chart allows, the oldest and the newest.
    mapfile -t known < <(cd "$folder" && printf '%s\n' v*-local-strict | sed 's/^v//; s/-local-strict$//' |
        sort -V | awk -F. '$1 > 1 || $2 >= 27')
    versions=("${known[0]}" "${known[-1]}")
fi
((${#versions[@]})) || versions=(1.30.0)

for version in "${versions[@]}"; do
    for values in "$chart"/ci/*.yaml; do
        name="$(basename "$values" .yaml)"
        rendered="$out/$name-$version.yaml"
        # Helm tells of every symbolic link that it follows.
        "$helm" lint --strict --quiet --kube-version "$version" --values "$values" "$chart" \
            2> >(grep -v 'found symbolic link' >&2)
        "$helm" template liqmon "$chart" --namespace risk --kube-version "$version" --values "$values" \
            2> >(grep -v 'found symbolic link' >&2) >"$rendered"
        echo "$name on Kubernetes $version: linted and rendered"
    done
done

# Without these it must say what it lacks, and not render something that cannot start.
refuses() { # WORDS OPTIONS…
    local words="$1"
    shift
    if "$helm" template liqmon "$chart" --kube-version "${versions[-1]}" "$@" >"$out/refused" 2>&1; then
        echo "rendered without: $words" >&2
        exit 1
    fi
    grep -q "$words" "$out/refused" || { cat "$out/refused" >&2; exit 1; }
}
refuses "kafka.brokers is needed" --set dashboard.existingSecret=x
refuses "dashboard.existingSecret is needed" --set kafka.brokers=kafka:9092
refuses "kafka.existingSecret is needed" --set kafka.brokers=kafka:9092 \
    --set dashboard.enabled=false --set kafka.securityProtocol=SASL_SSL
refuses "more than there are partitions" --set kafka.brokers=kafka:9092 \
    --set dashboard.enabled=false --set worker.replicas=17
refuses "logLevel" --set kafka.brokers=kafka:9092 --set dashboard.enabled=false --set logLevel=loud
echo "refuses what cannot start"

kubeconform="$(program kubeconform "${KUBECONFORM:-}")" || {
    missed+=("manifests: kubeconform is not on the PATH (go install github.com/yannh/kubeconform/cmd/kubeconform@latest)")
    finish
}
[[ -d "$folder" ]] || {
    missed+=("manifests: no schemas (pip install kubernetes-validate, or set KUBERNETES_SCHEMAS)")
    finish
}
for version in "${versions[@]}"; do
    echo "against Kubernetes $version:"
    # kubernetes-validate knows its files by addresses; here they lie beside one another.
    mkdir -p "$out/schemas-$version"
    cp "$folder/v$version-local-strict"/*.json "$out/schemas-$version"
    sed -i.bak 's#"\$id":#"$comment":#; s#"/api/_definitions.json#"_definitions.json#' "$out/schemas-$version"/*.json
    "$kubeconform" -strict -summary \
        -skip ServiceMonitor,PrometheusRule,ScaledObject \
        -schema-location "$out/schemas-$version/{{ .ResourceKind }}{{ .KindSuffix }}.json" \
        "$out"/*-"$version".yaml
done
echo "skipped, since their schemas come with their operators: ServiceMonitor, PrometheusRule, ScaledObject"
finish

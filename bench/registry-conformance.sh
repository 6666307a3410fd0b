#!/usr/bin/env bash
# registry-conformance.sh [LEARN [VERSION...]]: holds learn registry serve to the conformance suite of the distribution-spec, for the version that is stable
# and for the one under development. The suite is a module of its own (bench/conformance), so that nothing of it gets into the program.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$work"' EXIT
learn=${1:-}
if [ -z "$learn" ]; then learn=$work/learn; go build -o "$learn" ./cmd/learn; fi
versions=("${@:2}")
[ ${#versions[@]} -gt 0 ] || versions=(1.1 dev)
(cd bench/conformance && GOWORK=off go build -o "$work/conformance" github.com/opencontainers/distribution-spec/conformance)

for version in "${versions[@]}"; do
  "$learn" --home "$work/home" registry serve --addr 127.0.0.1:0 --storage "$work/store-$version" --delete --quiet >"$work/served" 2>"$work/errors" &
  server=$!
  until grep -q ' on ' "$work/served"; do kill -0 "$server" || { cat "$work/errors"; exit 1; }; sleep 0.05; done
  address=$(sed -n 's/.* on \([^;]*\);.*/\1/p' "$work/served")
  if ! OCI_CONFIGURATION=/dev/null OCI_REGISTRY=$address OCI_TLS=disabled OCI_VERSION=$version OCI_RESULTS_DIR="$work/results" "$work/conformance" >"$work/out" 2>&1; then
    grep -v ': Pass$' "$work/out"
    exit 1
  fi
  # A test that the suite skips would hide what the registry can't do.
  counts=$(grep -o '<testsuite [^>]*' "$work/results/junit.xml" | head -1 | grep -o '\(tests\|failures\|errors\|skipped\)="[0-9]*"' | tr '\n' ' ')
  echo "distribution-spec $version: $counts"
  case $counts in *'skipped="'[1-9]* | *'failures="'[1-9]* | *'errors="'[1-9]*) grep -B1 -A1 ': \(Skip\|FAIL\|Error\)' "$work/out" || true; exit 1 ;; esac
  kill "$server"; wait "$server"; server=
done

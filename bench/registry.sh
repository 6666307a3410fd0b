#!/usr/bin/env bash
# bench/registry.sh [LEARN]: 32 parallel pulls of one blob from learn registry serve and from docker-registry (Debian's package), in turns.
# Prints the throughput of each turn, and the processor time that the server spent on a GiB, which says more where other things run on the machine.
# Wants curl and docker-registry. MIB=size of the blob, PULLS=of it in a turn (32 or a multiple), N=turns.
set -euo pipefail
cd "$(dirname "$0")/.."
MIB=${MIB:-16} PULLS=${PULLS:-512} N=${N:-5}
work=$(mktemp -d) pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done; rm -rf "$work"' EXIT
learn=${1:-}
if [ -z "$learn" ]; then learn=$work/learn; CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$learn" ./cmd/learn; fi

"$learn" --home "$work/home" registry serve --addr 127.0.0.1:0 --storage "$work/ours" --quiet >"$work/served" & pids+=($!)
until grep -q ' on ' "$work/served"; do sleep 0.05; done
ours=$(sed -n 's/.* on \([^;]*\);.*/\1/p' "$work/served")
theirs=127.0.0.1:$((20000 + RANDOM % 10000))
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/theirs}, delete: {enabled: true}}\nhttp: {addr: "%s"}\n' "$work" "$theirs" >"$work/config.yml"
docker-registry serve "$work/config.yml" >"$work/log" 2>&1 & pids+=($!)
until curl -sf "http://$theirs/v2/" >/dev/null; do sleep 0.1; done

head -c "${MIB}M" /dev/urandom >"$work/blob"
digest=sha256:$(sha256sum "$work/blob" | cut -d' ' -f1)
for host in "$ours" "$theirs"; do
  at=$(curl -sfi -X POST "http://$host/v2/bench/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  case $at in /*) at=http://$host$at ;; esac
  case $at in *\?*) at="$at&digest=$digest" ;; *) at="$at?digest=$digest" ;; esac
  curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$work/blob" "$at"
done

spent() { local f; read -r -a f < <(sed 's/.*) //' "/proc/$1/stat"); echo $((f[11] + f[12])); } # user and system, in ticks
turn() { # name host pid
  local before after rate begin each readers=()
  each=($(seq $((PULLS / 32))))
  before=$(spent "$3")
  begin=$EPOCHREALTIME
  for _ in $(seq 32); do # a process each, as of 32 machines: one that reads for all would be what is measured
    curl -sf "${each[@]/#/http://$2/v2/bench/blobs/$digest?}" >/dev/null & readers+=($!)
  done
  for r in "${readers[@]}"; do wait "$r" || { echo "$1: a pull failed" >&2; exit 1; }; done
  rate=$(echo "$begin $EPOCHREALTIME" | awk -v m="$MIB" -v p="$PULLS" '{printf "%.0f", m * p / ($2 - $1)}')
  after=$(spent "$3")
  awk -v n="$1" -v r="$rate" -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v g="$(awk -v m="$MIB" -v p="$PULLS" 'BEGIN {print m * p / 1024}')" \
    'BEGIN {printf "%-16s %6s MiB/s  %6.3f s of processor a GiB\n", n, r, t / hz / g}'
}
for _ in $(seq "$N"); do turn learn "$ours" "${pids[0]}"; turn docker-registry "$theirs" "${pids[1]}"; done

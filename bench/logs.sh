#!/bin/bash
# bench/logs.sh [IMAGE]   what logs cost: a container that writes as fast as it can, and reading its log.
#
# The floor is the same program on the host, through a pipe into a file. Each figure is the median of N rounds (default 5) in which all take
# turns; only the ratios to the floor of the same run mean something, and only on a machine that has nothing else to do. IMAGE (default
# debian:12) needs sh, yes and head; it must be loaded where each engine can find it. LEARN is the program; docker and podman are compared
# with if they answer.
set -u
IMAGE=${1:-debian:12} N=${N:-5} MB=${MB:-1000} LEARN=${LEARN:-learn}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/logs-bench.XXXXXX")
LINE=$(printf 'x%.0s' $(seq 99)) # with its end 100 bytes, as servers write them
WRITE="yes $LINE | head -c ${MB}000000"

engines=("$LEARN docker")
for e in docker podman; do "$e" image inspect "$IMAGE" >/dev/null 2>&1 && engines+=("$e"); done
clean() { for e in "${engines[@]}"; do $e rm -f logs-bench >/dev/null 2>&1; done; rm -rf "$DIR"; }
trap clean EXIT

now() { date +%s%N; }
median() { sort -n "$1" | sed -n "$((($(wc -l <"$1") + 1) / 2))p"; }
note() { local begin=$1 file=$2; echo $(($(now) - begin)) >>"$DIR/$file"; }

written() { # ENGINE NAME
  $1 rm -f logs-bench >/dev/null 2>&1
  # podman writes a format of its own unless it is told otherwise
  $1 create --network none --log-driver json-file --name logs-bench "$IMAGE" sh -c "$WRITE" >/dev/null || return
  local t; t=$(now)
  $1 start logs-bench >/dev/null; $1 wait logs-bench >/dev/null
  note "$t" "write-$2"
  t=$(now); $1 logs logs-bench | cat >"$DIR/out"; note "$t" "read-$2"
  [ "$(stat -c %s "$DIR/out")" = "${MB}000000" ] || echo "$1: the log has not ${MB}000000 bytes" >&2
  $1 rm -f logs-bench >/dev/null 2>&1
}

for _ in $(seq "$N"); do
  t=$(now); sh -c "$WRITE" | cat >"$DIR/out"; note "$t" floor; rm -f "$DIR/out"
  for i in "${!engines[@]}"; do written "${engines[$i]}" "$i"; done
done

floor=$(median "$DIR/floor")
row() { awk -v n="$1" -v t="$2" -v f="$floor" -v mb="$MB" 'BEGIN { printf "%-28s %8.0f ms  %5.2f x floor  %6.0f MB/s\n", n, t/1e6, t/f, mb*1e9/t }'; }
row "floor: | cat > file" "$floor"
for i in "${!engines[@]}"; do
  [ -s "$DIR/write-$i" ] || continue
  row "${engines[$i]##*/} writes" "$(median "$DIR/write-$i")"
  row "${engines[$i]##*/} logs | cat > file" "$(median "$DIR/read-$i")"
done

#!/bin/bash
# bench/logs.sh [IMAGE]   what logs cost: a container that writes as fast as it can, and reading its log.
#
# The floor is the same program on the host, through a pipe into a file. Each figure is the median of N rounds (default 3) of MB megabytes
# (default 300) in which all take turns; only the ratios to the floor of the same run mean something, and only on a machine that has nothing
# else to do. IMAGE (default the built-in learn/base) needs sh, yes and head. LEARN is the program; docker and podman are compared with if
# they answer and have IMAGE, for which debian:12 is a good choice: load it everywhere first. On a quiet machine the default takes half a
# minute; it wants about 1 GB in TMPDIR and as much in the home.
set -u
IMAGE=${1:-learn/base} N=${N:-3} MB=${MB:-300} LEARN=${LEARN:-learn}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/logs-bench.XXXXXX")
LINE=$(printf 'x%.0s' $(seq 99)) # with its end 100 bytes, as servers write them
WRITE="yes $LINE | head -c ${MB}000000"
HOST=$PATH # where the floor's programs are
if [ "$IMAGE" = learn/base ]; then # its programs are links to ours
  mkdir "$DIR/bin"
  for p in sh yes head; do ln -s "$(realpath "$(command -v "$LEARN")")" "$DIR/bin/$p"; done
  HOST=$DIR/bin
fi

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
  t=$(now); PATH=$HOST sh -c "$WRITE" | cat >"$DIR/out"; note "$t" floor; rm -f "$DIR/out"
  for i in "${!engines[@]}"; do written "${engines[$i]}" "$i"; done
done

floor=$(median "$DIR/floor")
row() { awk -v n="$1" -v t="$2" -v f="$floor" -v mb="$MB" 'BEGIN { printf "%-34s %8.0f ms  %5.2f x floor  %6.0f MB/s\n", n, t/1e6, t/f, mb*1e9/t }'; }
row "floor: | cat > file" "$floor"
for i in "${!engines[@]}"; do
  [ -s "$DIR/write-$i" ] || continue
  row "${engines[$i]##*/} writes" "$(median "$DIR/write-$i")"
  row "${engines[$i]##*/} logs | cat > file" "$(median "$DIR/read-$i")"
done

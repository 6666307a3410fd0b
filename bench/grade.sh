#!/usr/bin/env bash
# How many submissions of an exercise with one build are graded per second and processor, on the simulator.
#   bench/grade.sh [SUBMISSIONS]
# Says the processor time of one submission, which does not depend on what else the machine does, and the wall time. LEARN is the binary; without it one is built.
set -eu
cd "$(dirname "$0")/.."
n=${1:-40}
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
if [ -z "${LEARN:-}" ]; then LEARN=$w/learn; CGO_ENABLED=0 go build -o "$LEARN" ./cmd/learn; fi
export LEARN_HOME=$w/home LEARN_DRIVER=sim LEARN_OFFLINE=1 NO_COLOR=1
"$LEARN" start shrink --seed 3 --dir "$w/shrink" >/dev/null
cd "$w/shrink"
name=$("$LEARN" docker images --format '{{.Repository}}:{{.Tag}}' | sed -n 's/:fat$//p')
{ echo FROM learn/base; sed -n 's/^RUN dd.*/&/p' Dockerfile | tr -d '\n'; echo ' && wc -c </tools.bin >/result.txt && rm /tools.bin'; } >new
mv new Dockerfile
"$LEARN" docker build -q -t "$name:slim" . >/dev/null
mkdir "$w/one" "$w/all"
"$LEARN" submit shrink --student ann -o "$w/one/ann.tar.gz" >/dev/null
for i in $(seq "$n"); do cp "$w/one/ann.tar.gz" "$w/all/$i.tar.gz"; done

measure() { # JOBS FOLDER: wall and processor seconds
  local TIMEFORMAT='%R %U %S'
  { time "$LEARN" grade "$2" --jobs "$1" --format csv >"$w/out.csv" 2>"$w/err"; } 2>&1
}
measure 1 "$w/one" >/dev/null
for jobs in 1 $(nproc); do
  set -- $(measure "$jobs" "$w/one") $(measure "$jobs" "$w/all")
  [ "$(grep -c ',solved,' "$w/out.csv")" = "$n" ] || { echo "not all were solved" >&2; exit 1; }
  awk -v n="$((n - 1))" -v j="$jobs" -v r1="$1" -v c1="$(echo "$2 $3" | awk '{print $1 + $2}')" -v r2="$4" -v c2="$(echo "$5 $6" | awk '{print $1 + $2}')" \
    'BEGIN { printf "%d at a time: %.0f ms of processor time each, %.1f per second and processor; %.1f per second by the clock\n", j, 1000 * (c2 - c1) / n, n / (c2 - c1), n / (r2 - r1) }'
done

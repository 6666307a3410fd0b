#!/usr/bin/env bash
# How many submissions are graded per second and processor, on the simulator: of an exercise with one build, and of one with several.
#   bench/grade.sh [SUBMISSIONS]
# Says the processor time of one submission, which does not depend on what else the machine does, and the wall time. LEARN is the binary; without it one is built.
set -eu
cd "$(dirname "$0")/.."
n=${1:-40}
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
if [ -z "${LEARN:-}" ]; then LEARN=$w/learn; CGO_ENABLED=0 go build -ldflags '-s -w' -o "$LEARN" ./cmd/learn; fi
export LEARN_HOME=$w/home LEARN_DRIVER=sim LEARN_OFFLINE=1 NO_COLOR=1
learn() { "$LEARN" "$@" 2>/dev/null; }

# solve_EXERCISE works in the exercise's folder.
solve_keep-a-variable() {
  sed -i 's/^RUN export/ENV/' Dockerfile
  learn docker build -q -t "$(sed -n 's/.*container of `\([a-z]*\)`.*/\1/p' "$w/task" | head -1)" .
}
solve_shrink() {
  name=$(learn docker images --format '{{.Repository}}:{{.Tag}}' | sed -n 's/:fat$//p')
  { echo FROM learn/base; sed -n 's/^RUN dd.*/&/p' Dockerfile | tr -d '\n'; echo ' && wc -c </tools.bin >/result.txt && rm /tools.bin'; } >new
  mv new Dockerfile
  learn docker build -q -t "$name:slim" .
}

measure() { # JOBS FOLDER: wall and processor seconds
  local TIMEFORMAT='%R %U %S'
  { time "$LEARN" grade "$2" --jobs "$1" --format csv >"$w/out.csv" 2>"$w/err"; } 2>&1
}

for exercise in keep-a-variable shrink; do
  learn start "$exercise" --seed 3 --dir "$w/$exercise" >"$w/task"
  (cd "$w/$exercise" && "solve_$exercise" && mkdir "$w/one-$exercise" "$w/all-$exercise" && learn submit "$exercise" --student ann -o "$w/one-$exercise/ann.tar.gz") >/dev/null
  for i in $(seq "$n"); do cp "$w/one-$exercise/ann.tar.gz" "$w/all-$exercise/$i.tar.gz"; done
  measure 1 "$w/one-$exercise" >/dev/null
  for jobs in 1 $(nproc); do
    set -- $(measure "$jobs" "$w/one-$exercise") $(measure "$jobs" "$w/all-$exercise")
    [ "$(grep -c ',solved,' "$w/out.csv")" = "$n" ] || { echo "not all were solved" >&2; cat "$w/out.csv" >&2; exit 1; }
    awk -v x="$exercise" -v n="$((n - 1))" -v j="$jobs" -v r1="$1" -v c1="$(echo "$2 $3" | awk '{print $1 + $2}')" -v r2="$4" -v c2="$(echo "$5 $6" | awk '{print $1 + $2}')" \
      'BEGIN { printf "%-16s %d at a time: %.0f ms of processor time each, %.1f per second and processor; %.1f per second by the clock\n", x, j, 1000 * (c2 - c1) / n, n / (c2 - c1), n / (r2 - r1) }'
  done
done

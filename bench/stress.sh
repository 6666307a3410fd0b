#!/bin/bash
# bench/stress.sh    500 containers made, 100 of them running at once, 1,000 starts and stops, on whatever machine this is (aim: 2 cores, 2 GiB).
# It counts before and after what may leak: processes, mounts, control groups, descriptors of supervisors, memory, files of the home. It wants root.
# CREATED, RUNNING and CYCLES change the sizes, ATONCE how many commands run side by side, LEARN names the program.
set -u
cd "$(dirname "$0")/.."
CREATED=${CREATED:-500} RUNNING=${RUNNING:-100} CYCLES=${CYCLES:-1000} ATONCE=${ATONCE:-8} bad=0
W=$(mktemp -d /tmp/learn-stress.XXXXXX); export LEARN_HOME=$W/home LEARN_TRACE=
trap '$L ps -aq | xargs -r -n 50 $L rm -f >/dev/null 2>&1; rm -rf "$W"' EXIT
if [ -z "${LEARN:-}" ]; then LEARN=$W/learn; CGO_ENABLED=0 go build -o "$LEARN" ./cmd/learn || exit 1; fi
L="$LEARN docker"; export L
fail() { echo "FAIL $*"; bad=$((bad + 1)); }
# Supervisors of this home, by a descriptor or folder in it.
supervisors() {
  for p in /proc/[0-9]*; do
    case "$({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null)" in learn-shim*) ls -l "$p/fd" 2>/dev/null | grep -qF "$LEARN_HOME" && echo "${p#/proc/}" ;; esac
  done
}
mounts() { grep -cF "$LEARN_HOME" /proc/self/mountinfo; }
tag=$(python3 -c 'import sys
h=2166136261
for b in sys.argv[1].encode(): h=((h^b)*16777619)&0xffffffff
print("%08x"%h)' "$LEARN_HOME")
groups() { ls -d /sys/fs/cgroup/learn/"$tag"-* /sys/fs/cgroup/*/learn/"$tag"-* 2>/dev/null | wc -l; }
available() { awk '/MemAvailable/ {print int($2/1024)}' /proc/meminfo; }
handles() { cut -f1 /proc/sys/fs/file-nr; }
all() { ls /proc | grep -c '^[0-9]'; }
state() { printf '%-28s processes %5d  supervisors %4d  mounts %d  groups %4d  file handles %6d  memory free %6d MB\n' "$1" "$(all)" "$(supervisors | wc -l)" "$(mounts)" "$(groups)" "$(handles)" "$(available)"; }
took() { local t=$(($(date +%s%N) / 1000000)); "$@"; echo "   took $(($(date +%s%N) / 1000000 - t)) ms"; }
spread() { xargs -P "$ATONCE" -I{} sh -c "$1 >/dev/null || echo failed: {}" >>"$W/failed"; }

$L run --rm learn/base true || exit 1
groups0=$(groups) handles0=$(handles)
state 'before'
create() { seq "$CREATED" | spread "$L create --name s{} --memory 64m learn/base sh -c 'trap \"exit 0\" TERM; sleep 100000 & wait'"; }
start() { seq "$RUNNING" | spread "$L start s{}"; }
cycle() { for i in $(seq "$CYCLES"); do echo $((RUNNING + 1 + i % (CREATED - RUNNING))); done | spread "$L start s{} >/dev/null && $L stop -t 1 s{}"; }
stop() { seq "$RUNNING" | spread "$L rm -f s{}"; }
rest() { $L ps -aq | spread "$L rm -f {}"; }
took create; state "$CREATED made"
[ "$($L ps -aq | wc -l)" = "$CREATED" ] || fail "made are $($L ps -aq | wc -l)"
took start; state "$RUNNING running"
[ "$($L ps -q | wc -l)" = "$RUNNING" ] || fail "running are $($L ps -q | wc -l)"
for p in $(supervisors | head -20); do awk '/^Private/ {s+=$2} END {print s}' "/proc/$p/smaps_rollup"; done | sort -n | awk '{a[NR]=$1} END {if (NR) printf "   private memory of a supervisor: median %d kB, most %d kB\n", a[int((NR+1)/2)], a[NR]}'
fds0=$(for p in $(supervisors | head -20); do ls "/proc/$p/fd" | wc -l; done | sort -n | tail -1)
took cycle; state "after $CYCLES starts and stops"
fds1=$(for p in $(supervisors | head -20); do ls "/proc/$p/fd" | wc -l; done | sort -n | tail -1)
[ "$fds0" = "$fds1" ] || fail "descriptors of a supervisor: $fds0 before, $fds1 after"
[ "$(supervisors | wc -l)" = "$RUNNING" ] || { sleep 3; [ "$(supervisors | wc -l)" = "$RUNNING" ] || fail "supervisors: $(supervisors | wc -l)"; }
took stop; took rest; sleep 3; state 'all removed'
[ -z "$(supervisors)" ] || fail "supervisors are left: $(supervisors | tr '\n' ' ')"
[ "$(mounts)" = 0 ] || fail "mounts are left"
[ "$(groups)" -le "$groups0" ] || fail "control groups are left: $(groups), before $groups0"
for d in containers snapshots/keys tmp; do [ -z "$(ls -A "$LEARN_HOME/$d" 2>/dev/null)" ] || fail "$d holds $(ls -A "$LEARN_HOME/$d" | wc -l) things"; done
$L system check || fail 'system check'
[ -s "$W/failed" ] && fail "$(sort "$W/failed" | uniq -c | sort -rn | head -5)"
echo "$bad failures (file handles of the whole machine: $handles0 before, $(handles) after)"
[ "$bad" = 0 ]

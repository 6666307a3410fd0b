#!/bin/bash
# bench/crash.sh [OPERATION...]     operations: create start exec stop rm commit cp run (default: all)
# Kills learn at its writing system calls, one after the other, by strace's fault injection: SIGKILL in place of the Nth such call of a thread, of
# the command and of every process that it starts. After each kill it checks: the next command works and is done within 5 s; system check finds
# nothing wrong; rm -f works; no process, mount or control group is left; and the same operation then works.
# It wants root and strace. MAX=calls per operation (60), STEP=which of them (1: each), LEARN=the program.
set -u
cd "$(dirname "$0")/.."
command -v strace >/dev/null || { echo "crash.sh wants strace" >&2; exit 1; }
W=$(mktemp -d /tmp/learn-crash.XXXXXX); export LEARN_HOME=$W/home
trap 'for c in $($L ps -aq 2>/dev/null); do $L rm -f "$c" >/dev/null 2>&1; done; rm -rf "$W"' EXIT
if [ -z "${LEARN:-}" ]; then LEARN=$W/learn; CGO_ENABLED=0 go build -o "$LEARN" ./cmd/learn || exit 1; fi
L="$LEARN docker" MAX=${MAX:-60} STEP=${STEP:-1} bad=0 kills=0
CALLS=rename,renameat,renameat2,fsync,fdatasync,syncfs,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknodat,ftruncate,write,pwrite64,pwritev2,copy_file_range,mount,move_mount,fsmount,umount2,pivot_root,setxattr,fsetxattr,lsetxattr,fchmodat,fchownat,utimensat

prepare() {
  $L rm -f cc >/dev/null 2>&1; $L rmi -f committed >/dev/null 2>&1; echo new >"$W/file"
  case $1 in
    create | run) ;;
    start | rm) $L create --name cc --memory 64m learn/base sleep 1000 ;;
    exec | stop | cp) $L run -d --name cc --memory 64m learn/base sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done' ;;
    commit) $L run --name cc learn/base sh -c 'echo x >/f; rm /bin/ls' ;;
  esac >/dev/null || fail "$1: it can't be prepared"
}
operation() {
  case $1 in
    create) echo create --name cc --memory 64m learn/base true ;;
    run) echo run -d --name cc --memory 64m learn/base sleep 1000 ;;
    start) echo start cc ;;
    exec) echo exec cc touch /g ;;
    stop) echo stop cc ;;
    rm) echo rm cc ;;
    commit) echo commit cc committed ;;
    cp) echo cp "$W/file" cc:/file ;;
  esac
}
fail() { echo "FAIL $*"; bad=$((bad + 1)); }
# What belongs to the home, seen from the machine: processes by their arguments, environment and descriptors; mounts; control groups by its tag.
left() {
  grep -F "$LEARN_HOME" /proc/self/mountinfo
  tag=$(python3 -c 'import sys
h=2166136261
for b in sys.argv[1].encode(): h=((h^b)*16777619)&0xffffffff
print("%08x"%h)' "$LEARN_HOME")
  ls -d /sys/fs/cgroup/learn/"$tag"-* /sys/fs/cgroup/*/learn/"$tag"-* 2>/dev/null
  for p in /proc/[0-9]*; do
    case "$({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null)" in learn-shim* | learn-init* | learn-exec*)
      ls -l "$p/fd" "$p/cwd" 2>/dev/null | grep -qF "$LEARN_HOME" && echo "process $p" ;;
    esac
  done
}
settled() { for _ in $(seq 100); do [ -z "$(left)" ] && return 0; sleep 0.05; done; return 1; }
check() {
  local at=$1 out
  out=$(timeout 5 $L ps -a 2>&1) || fail "$at: ps -a: $out"
  out=$($L system check 2>&1) || fail "$at: check: $out"
  for c in $($L ps -aq); do out=$($L rm -f "$c" 2>&1) || fail "$at: rm -f: $out"; done
  out=$($L system check 2>&1) || fail "$at: check after rm: $out"
  settled || fail "$at: left behind: $(left)"
}

# inject runs a command and kills at the Nth call, of it or of the supervisor that it talks to. strace would go on as long as a container runs, so it is sent away after the command's end.
inject() {
  local when=$1 tracer also; shift
  also=$(grep -ho '"shim_pid":[0-9]*' "$LEARN_HOME"/containers/[0-9a-f]*/task.json 2>/dev/null | head -1)
  { strace -f -qq ${also:+-p "${also#*:}"} -o "$W/trace" -e trace=$CALLS -e inject=$CALLS:signal=KILL:when="$when" "$@" & } >/dev/null 2>&1 </dev/null
  tracer=$!
  for _ in $(seq 100); do pgrep -P "$tracer" >/dev/null || break; sleep 0.1; done
  kill -9 $(pgrep -P "$tracer") # a command that does not end, which the next check would tell
  sleep 0.3; kill "$tracer"; sleep 0.2
  kill -9 "$tracer"; wait "$tracer" # strace waits for a thread that sleeps, some times
}

$L run --rm learn/base true || exit 1
exec 2>/dev/null # the shell tells of every kill
for op in ${*:-create start exec stop rm commit cp run}; do
  if [ "$op" = cp ] && ! $L cp --help >/dev/null 2>&1; then echo "cp: this program has no such command"; continue; fi
  before=$bad n=1
  while [ "$n" -le "$MAX" ]; do
    prepare "$op"
    inject "$n" $L $(operation "$op")
    grep -q 'killed by SIGKILL' "$W/trace" || break # no thread makes so many
    kills=$((kills + 1))
    check "$op killed at call $n"
    n=$((n + STEP))
  done
  prepare "$op"; out=$($L $(operation "$op") 2>&1) || fail "$op does not work any more: $out"
  echo "$op: killed at calls 1 to $((n - STEP)), $((bad - before)) failures"
done
echo "$kills kills, $bad failures"
[ "$bad" = 0 ]

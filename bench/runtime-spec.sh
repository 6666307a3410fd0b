#!/usr/bin/env bash
# The runtime specification's own validation tests (opencontainers/runtime-tools), with crun and with learn, side by side.
#
#   bench/runtime-spec.sh SOURCE LEARN
#
# SOURCE is a working copy of runtime-tools, LEARN the learn binary. Needs root, Go, crun, and /sys/fs/cgroup. Takes about five minutes, most of it waits in the tests.
# Each test runs with either runtime; the table says how many of its checks held (ok) and did not (bad), and how it ended. Where crun does
# better, the script ends with 1. TESTS="name ..." runs only these.
set -euo pipefail
source=$(cd "${1:?a working copy of runtime-tools}" && pwd); learn=$(readlink -f "${2:?the learn binary}")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/tests"
ln -s "$learn" "$work/bin/learn-runtime"
# crun knows older versions of the specification only, and refuses a version that it does not know.
cat >"$work/bin/crun-1.0" <<'SH'
#!/bin/bash
bundle=.; words=("$@")
for ((i = 0; i < $#; i++)); do case ${words[i]} in --bundle|-b) bundle=${words[i+1]};; esac; done
[ "${1:-}" != create ] || [ ! -f "$bundle/config.json" ] || sed -i 's/"ociVersion": *"1\.[0-9.]*"/"ociVersion": "1.0.2"/' "$bundle/config.json"
exec crun "$@"
SH
chmod +x "$work/bin/crun-1.0"

echo 'building the tests' >&2
(cd "$source" && GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0 go build -o "$work/runtimetest" ./cmd/runtimetest && GOFLAGS=-mod=mod GOWORK=off go build -o "$work/tests/" ./validation/...)
cp "$source"/rootfs-*.tar.gz "$work/"

# all RUNTIME: every test, in a mount namespace without the version 2 hierarchy of a hybrid machine, with which crun refuses to run.
all() {
  mkdir "$work/$1"
  RUNTIME=$work/bin/$1 OUT=$work/$1 unshare --mount --propagation private bash -c '
    ! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
    cd "$(dirname "$OUT")"
    for t in ${TESTS:-$(ls tests)}; do
      t=tests/$t
      n=$(basename "$t"); rc=0
      timeout 120 "$t" >"$OUT/$n" 2>"$OUT/$n.err" </dev/null || rc=$?
      ok=$(grep -c "^ *ok" "$OUT/$n" || true); bad=$(grep -c "^ *not ok" "$OUT/$n" || true)
      echo "$n $ok $bad $rc" >>"$OUT/summary"
    done'
}
all crun-1.0; all learn-runtime

join "$work/crun-1.0/summary" "$work/learn-runtime/summary" | awk '
  BEGIN { printf "%-34s %14s   %14s\n", "test", "crun ok/bad/rc", "learn ok/bad/rc" }
  { note = ($2 == $5 && $3 == $6 && $4 == $7) ? "" : ($5 >= $2 && $6 <= $3 && ($7 <= $4 || $4 != 0)) ? "better" : "WORSE"; worse += note == "WORSE"
    printf "%-34s %14s   %14s  %s\n", $1, $2 "/" $3 "/" $4, $5 "/" $6 "/" $7, note }
  END { exit worse > 0 }'

#!/bin/bash
# bench/push.sh [ROUNDS]     How long a push takes: Debian 12, 1 GiB that can't be compressed, and the same once more when nothing has changed.
# The archives that all begin with are not compressed, so a push compresses; "ready" is a push of archives that are compressed already.
# learn, skopeo, podman and docker in turn, each round every one (IMAGES=debian:12 or big:1 for one of the images), all to one docker-registry on the loopback interface. A first push finds an empty
# registry and, of learn, no memory of earlier ones. Medians of wall time and of processor time (the command's and its children's; docker's work is
# done by its daemon, so its processor time says nothing).
# It wants skopeo, podman and docker-registry (Debian), and IN: a folder with debian12.tar (docker-archive) and 1g/blob. docker takes part if DOCKER_HOST
# answers and allows 127.0.0.1:PORT as an insecure registry. LEARN=the program.
set -euo pipefail
cd "$(dirname "$0")/.."
N=${1:-5} IN=${IN:?a folder with debian12.tar and 1g/blob} PORT=${PORT:-5099} REG=127.0.0.1:${PORT:-5099}
W=$(mktemp -d "${TMPDIR:-/tmp}/learn-push.XXXXXX"); REGPID=
stop() { [ -z "$REGPID" ] || { kill "$REGPID" 2>/dev/null; wait "$REGPID" 2>/dev/null || true; REGPID=; }; }
trap 'stop; rm -rf "$W"' EXIT
if [ -z "${LEARN:-}" ]; then LEARN=$W/learn; CGO_ENABLED=0 go build -o "$LEARN" ./cmd/learn; fi
export LEARN_HOME=$W/home DOCKER_CONFIG=$W/config
mkdir -p "$W/config"; echo '{}' >"$W/config/config.json"
POD="podman --root $W/podman --runroot $W/run --tmpdir $W/tmp --storage-driver ${STORAGE:-overlay} --events-backend file --cgroup-manager cgroupfs"

registry() { # an empty one
  stop; rm -rf "$W/registry"
  printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' "$W/registry" "$REG" >"$W/registry.yml"
  docker-registry serve "$W/registry.yml" >/dev/null 2>&1 & REGPID=$!
  for _ in $(seq 200); do curl -sf "http://$REG/v2/" >/dev/null && return; sleep .05; done
  echo "docker-registry does not answer" >&2; exit 1
}
once() { # once LABEL COMMAND...: appends wall and processor seconds to the label's file
  local label=$1 t; shift
  t=$( { TIMEFORMAT='%R %U %S'; time "$@" >"$W/out" 2>&1; } 2>&1 ) || { echo "$label failed: $(tail -2 "$W/out")" >&2; return; }
  echo "$t" | awk '{print $1, $2+$3}' >>"$W/$label.times"
}
median() { sort -n | awk '{v[NR]=$1} END {print NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

prepare() {
  "$LEARN" docker load -q -i "$IN/debian12.tar" >/dev/null
  "$LEARN" docker tag debian:12 "$REG/learn/debian:12"
  mkdir -p "$W/big"; ln "$IN/1g/blob" "$W/big/blob" 2>/dev/null || cp "$IN/1g/blob" "$W/big/blob"; printf 'FROM scratch\nCOPY blob /blob\n' >"$W/big/Dockerfile"
  "$LEARN" docker build -q -t "$REG/learn/big:1" "$W/big" >/dev/null
  "$LEARN" docker save -o "$W/big.tar" "$REG/learn/big:1"
  ln -s "$IN/debian12.tar" "$W/debian.tar"
  for i in debian:12 big:1; do
    skopeo copy -q "docker-archive:$W/${i%:*}.tar" "oci:$W/oci:${i%:*}"
    skopeo copy -q "oci:$W/oci:${i%:*}" "oci-archive:$W/ready.tar:$REG/learn/$i"
    "$LEARN" --home "$W/ready" docker load -q -i "$W/ready.tar" >/dev/null; rm "$W/ready.tar"
    $POD load -q -i "$W/${i%:*}.tar" >/dev/null
  done
  $POD tag debian:12 "$REG/podman/debian:12"; $POD tag "$REG/learn/big:1" "$REG/podman/big:1"
  DOCKER=; if docker version >/dev/null 2>&1; then
    DOCKER=1; for i in debian big; do docker load -q -i "$W/$i.tar" >/dev/null; done
    docker tag debian:12 "$REG/docker/debian:12"; docker tag "$REG/learn/big:1" "$REG/docker/big:1"
  fi
}
prepare
for _ in $(seq "$N"); do
  for image in ${IMAGES:-debian:12 big:1}; do
    name=${image%:*}
    # one empty registry for each, so that none finds what another one sent
    registry; rm -f "$LEARN_HOME/transfers.json"; once "$name.learn" "$LEARN" docker push -q "$REG/learn/$image"
    once "$name-again.learn" "$LEARN" docker push -q "$REG/learn/$image"
    for p in skopeo podman docker skopeo-ready learn-ready; do
      registry
      case $p in
        skopeo) c="skopeo copy -q --dest-tls-verify=false docker-archive:$W/$name.tar docker://$REG/skopeo/$image" ;;
        skopeo-ready) c="skopeo copy -q --dest-tls-verify=false oci:$W/oci:$name docker://$REG/skopeo/$image" ;;
        learn-ready) rm -f "$W/ready/transfers.json"; c="$LEARN --home $W/ready docker push -q $REG/learn/$image" ;;
        podman) c="$POD push -q --tls-verify=false $REG/podman/$image" ;;
        docker) [ -n "$DOCKER" ] || continue; c="docker push -q $REG/docker/$image" ;;
      esac
      once "$name.$p" $c; once "$name-again.$p" $c
    done
  done
done
printf '%-14s %-8s %10s %10s %3s\n' push who wall_s cpu_s n
for f in "$W"/*.times; do
  l=$(basename "$f" .times)
  printf '%-14s %-8s %10.3f %10.3f %3d\n' "${l%.*}" "${l##*.}" "$(cut -d' ' -f1 "$f" | median)" "$(cut -d' ' -f2 "$f" | median)" "$(wc -l <"$f")"
done

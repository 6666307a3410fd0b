#!/usr/bin/env bash
# Compares pulling from a registry on loopback: learn, skopeo, podman and docker, turn by turn in one run, each into an empty store.
#
#   bench/registry-pull.sh LEARN REGISTRY/IMAGE [ROUNDS]
#
# LEARN is the static binary; the image must be in the registry (one with Debian 12, one of 1 GiB). Tools that are not there are left out.
# Prints, for each tool, the median of seconds; for learn also a second pull of the unchanged image.
set -euo pipefail
learn=$(realpath "$1") image=$2 rounds=${3:-7}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LEARN_OFFLINE=1

timed() { # NAME COMMAND...: appends the seconds of one run
  local name=$1 begin end
  shift
  begin=$EPOCHREALTIME
  "$@" >/dev/null 2>&1
  end=$EPOCHREALTIME
  echo "$begin $end" | awk '{print $2 - $1}' >>"$work/$name"
}

round() {
  rm -rf "$work/home" "$work/oci" "$work/podman-store"
  LEARN_HOME=$work/home timed learn "$learn" docker pull -q "$image"
  LEARN_HOME=$work/home timed learn-again "$learn" docker pull -q "$image"
  if command -v skopeo >/dev/null; then # it fetches and does not unpack
    timed skopeo skopeo copy --src-tls-verify=false "docker://$image" "oci:$work/oci:x"
  fi
  if command -v podman >/dev/null; then
    timed podman podman --root "$work/podman-store" --runroot "$work/podman-run" pull --tls-verify=false -q "$image"
    podman --root "$work/podman-store" --runroot "$work/podman-run" rmi -af >/dev/null 2>&1 || true
  fi
  if docker info >/dev/null 2>&1; then
    docker rmi -f $(docker images -q | sort -u) >/dev/null 2>&1 || true # all of them: another one may have the same layers
    timed docker docker pull -q "$image"
  fi
}

for ((i = 0; i < rounds; i++)); do round; done
for f in learn learn-again skopeo podman docker; do
  [ -f "$work/$f" ] && sort -n "$work/$f" | awk -v name="$f" '{v[NR] = $1} END {printf "%-12s %.3f s\n", name, v[int((NR + 1) / 2)]}'
done

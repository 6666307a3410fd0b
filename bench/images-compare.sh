#!/usr/bin/env bash
# Compares what learn and docker print of the same images: both load the same archives, then run the same commands.
#
#   DOCKER_HOST=unix:///path/docker.sock bench/images-compare.sh [LEARN]
#
# The daemon's images and containers are all removed first: give it one that holds nothing of yours (and say so with SCRATCH=1).
# It prints every line that differs and is not one of the reasoned differences below, and exits with 1 if there is any.
#
# Reasoned differences, which `same` levels out or the cases leave alone:
#   sizes         docker adds up the files of a layer as they lie unpacked; learn the bytes of its archive, which sha256sum and ls show
#   order         docker gives images of one second, deleted images and the ids of a prune in the order of a hash table
#   "No such image: x" when a short id is ambiguous: learn names the ids that begin so
#   reclaimed     docker counts unpacked files, learn the blobs
#   GraphDriver, Metadata, Container, ContainerConfig of inspect: of docker's storage and its former builder
#   words         an old daemon's: "Invalid filter", "no such image: x: No such image"; it also knows no until, and no dangling=1
#   df -v         learn adds a section on the two halves; its build cache has steps where docker's has ids
set -u
learn=${1:-learn}
docker=${DOCKER:-docker}
[ "${SCRATCH:-}" = 1 ] || { echo "set SCRATCH=1: every image and container of $DOCKER_HOST will be removed"; exit 2; }
"$docker" version --format '{{.Server.Version}}' >/dev/null || { echo "no daemon answers at ${DOCKER_HOST:-the default socket}"; exit 2; }
work=$(mktemp -d)
export LEARN_HOME=$work/home LEARN_DRIVER=sim
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failed=0 cases=0

L() { "$learn" docker "$@"; }
D() { "$docker" "$@"; }

# same levels out what differs for a reason.
same() {
  sed -E -e 's/  ([45]|10240)( |$)/  SIZE\2/; s/[0-9.]+(B|kB|MB|GB)( \([0-9]+%\))?/SIZE/g' -e 's/ +/ /g' -e 's/ $//' -e 's/(container|by (running|stopped) container) [0-9a-f]{12}/\1 ID/' \
    -e 's/ in type .*//' -e 's/Invalid filter/invalid filter/; s/: no such image: [^ ]*: /: /; s/\(library\/[^)]*\) //' |
    grep -v -e '^What to do:' -e '^WARNING: .*experimental' || true
}

# compare runs one command on both. Lines are sorted with sort=1.
compare() {
  local a b ra rb
  cases=$((cases + 1))
  a=$(L "$@" 2>&1 </dev/null) && ra=0 || ra=$?
  b=$(D "$@" 2>&1 </dev/null) && rb=0 || rb=$?
  a=$(same <<<"$a") b=$(same <<<"$b")
  [ -z "${sort:-}" ] || { a=$(sort <<<"$a"); b=$(sort <<<"$b"); }
  if [ "$a" != "$b" ] || [ $ra != $rb ]; then
    failed=$((failed + 1))
    printf -- '--- docker %s: docker has < and exit code %s, learn > and %s\n' "$*" $rb $ra
    diff <(echo "$b") <(echo "$a") | grep '^[<>]'
  fi
}
both() { L "$@" >/dev/null 2>&1 </dev/null; D "$@" >/dev/null 2>&1 </dev/null; }
sorted() { sort=1 compare "$@"; }

clear_docker() {
  local all
  all=$(D ps -aq); [ -z "$all" ] || D rm -f $all >/dev/null
  all=$(D images -aq | sort -u); [ -z "$all" ] || D rmi -f $all >/dev/null
}

# image NAME CREATED LAYER...: an archive of an image whose layers hold one file each; equal layers are shared.
image() {
  local name=$1 created=$2 dir=$work/make diffs="" files="" history="" l d; shift 2
  rm -rf "$dir"; mkdir -p "$dir"
  for l in "$@"; do
    mkdir -p "$dir/tree"; rm -rf "$dir"/tree/*; echo "$l" >"$dir/tree/$l"
    tar -C "$dir/tree" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$dir/l.tar" "$l"
    d=$(sha256sum <"$dir/l.tar" | cut -d' ' -f1); mv "$dir/l.tar" "$dir/$d.tar"
    diffs="$diffs,\"sha256:$d\"" files="$files,\"$d.tar\""
    history="$history,{\"created\":\"$created\",\"created_by\":\"/bin/sh -c echo $l >/$l and a command that is longer than forty-five characters\"},{\"created\":\"$created\",\"created_by\":\"ENV L=$l\",\"comment\":\"buildkit\",\"empty_layer\":true}"
  done
  printf '{"created":"%s","author":"me","architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin","L=%s"],"Cmd":["sh","-c","echo <hi>"],"Labels":{"tier":"%s","maker":"me"},"ExposedPorts":{"80/tcp":{}},"WorkingDir":"/srv"},"rootfs":{"type":"layers","diff_ids":[%s]},"history":[%s]}' \
    "$created" "$1" "$1" "${diffs#,}" "${history#,}" >"$dir/config.json"
  d=$(sha256sum <"$dir/config.json" | cut -d' ' -f1); mv "$dir/config.json" "$dir/$d.json"
  printf '[{"Config":"%s.json","RepoTags":[%s],"Layers":[%s]}]' "$d" "$name" "${files#,}" >"$dir/manifest.json"
  rm -rf "$dir/tree"
  tar -C "$dir" -cf "$work/$d.tar" .
  archives="$archives $work/$d.tar"
}

make_images() {
  archives=""
  image '"debian:12","debian:bookworm"' 2024-01-02T03:04:05Z base
  image '"app:1"' 2024-02-02T03:04:05Z base one
  image '"app:2","registry.example.com:5000/team/app:2.0"' 2024-03-02T03:04:05.123456789Z base two
  image '' 2024-04-02T03:04:05Z base three
  image '"old/tool:latest"' 2001-02-03T04:05:06Z tool
}

# fresh brings both to the same images.
fresh() {
  clear_docker
  chmod -R u+w "$LEARN_HOME" 2>/dev/null; rm -rf "$LEARN_HOME"
  for a in $archives; do both load -q -i "$a"; done
  L rmi learn/base >/dev/null 2>&1 || true
}

make_images
fresh
. "$(dirname "$0")/images-compare.cases"
clear_docker
echo "$cases commands compared, $failed differ"
[ $failed = 0 ]

#!/bin/bash
# bench/powercut.sh [ROUNDS [OPERATION...]]     operations: pull load tag rmi prune halves build push gc (default: all); ROUNDS is 20
# Pulls the plug at a random moment of an operation, and looks at what is left. The home lies on an ext4 disk image, that image on an XFS with reflinks; a cut is a
# reflink copy of the image, made while the operation goes on: what was not written back yet is not in it. Of the copy, mounted on its own and with another
# boot id, it is wanted that: the first command is done within 5 s (PATIENCE); system check finds nothing wrong, and changes nothing when it is called again; every image
# that is listed saves, and unpacks to what it was before the cut; rmi and prune work and leave nothing.
# It wants root, mkfs.xfs and mkfs.ext4. The kernel writes dirty pages back after 30 s (vm.dirty_expire_centisecs), which no operation here takes, so no setting of the
# machine is touched. Mounts are made in a namespace of the script's own: they and their loop devices go when it ends, however it ends.
# LEARN=the program, SIZE=MiB of the files of an image (8), SEED=number, DISK=MiB of the disk (700).
set -u
[ -n "${POWERCUT_INSIDE:-}" ] || POWERCUT_INSIDE=1 exec unshare -m --propagation private bash "$0" "$@"
here=$(cd "$(dirname "$0")/.." && pwd)
for t in mkfs.xfs mkfs.ext4 setsid; do command -v $t >/dev/null || { echo "powercut.sh wants $t" >&2; exit 1; }; done
W=$(mktemp -d /tmp/learn-powercut.XXXXXX) served= stored= judged=
LIVE=$W/live CUT=$W/cut
trap 'exit 130' INT TERM HUP
trap 'for p in $served $stored $judged; do kill "$p"; wait "$p"; done 2>/dev/null; umount -l "$CUT" "$LIVE" "$W/outer" 2>/dev/null; rm -rf --one-file-system "$W"' EXIT
if [ -z "${LEARN:-}" ]; then LEARN=$W/learn; (cd "$here" && CGO_ENABLED=0 go build -o "$LEARN" ./cmd/learn) || exit 1; fi
mkdir "$W/bin" && ln -s "$LEARN" "$W/bin/learn" && LEARN=$W/bin/learn
rounds=${1:-20}; shift
RANDOM=${SEED:-$$} SIZE=${SIZE:-8} DISK=${DISK:-700} PATIENCE=${PATIENCE:-5} bad=0
export LEARN_EXPLAIN='' NO_COLOR=1
live() { LEARN_HOME=$LIVE/home "$LEARN" docker "$@"; }
cut() { LEARN_HOME=$CUT/home "$LEARN" docker "$@"; }
fail() { echo "FAIL round $round, $op cut after $at ms: $*"; bad=$((bad + 1)); }
now() { echo $(($(date +%s%N) / 1000000)); }
round=0 op=setup at=0

mkdir "$LIVE" "$CUT" "$W/outer" "$W/context"
truncate -s $((DISK * 3))M "$W/outer.img"
mkfs.xfs -q -m reflink=1 "$W/outer.img" && mount -o loop "$W/outer.img" "$W/outer" || exit 1
truncate -s "$DISK"M "$W/outer/disk.img"
mkfs.ext4 -q "$W/outer/disk.img" && mount -o loop,commit=3600 "$W/outer/disk.img" "$LIVE" || exit 1

# Three images: two that share a layer, and one of its own; in one archive, and in a registry where there is one.
for i in 1 2 3; do
  head -c "$SIZE"M /dev/urandom >"$W/context/big$i"
  mkdir "$W/context/tree$i"
  for f in $(seq 40); do echo "$i $f" >"$W/context/tree$i/$f"; done
  ln -s "$f" "$W/context/tree$i/link"; ln "$W/context/tree$i/1" "$W/context/tree$i/hard"
done
printf 'FROM learn/base\nCOPY big1 /big\nCOPY tree1 /tree\nRUN rm /tree/3 && echo new >/tree/4\n' >"$W/context/1"
printf 'FROM learn/base\nCOPY big1 /big\nCOPY tree2 /tree\n' >"$W/context/2"
printf 'FROM scratch\nCOPY big3 /\nCOPY tree3 /other\n' >"$W/context/3"
for i in 1 2 3; do live build -q -f "$W/context/$i" -t "app:$i" "$W/context" >/dev/null || exit 1; done
live save -o "$W/apps.tar" app:1 app:2 app:3 || exit 1
shape() { # of an image: its files with all that is known of them
  c=$("$1" create "$2" x) && "$1" export "$c" | sha256sum && "$1" rm "$c" >/dev/null
}
for i in 1 2 3; do shape live "app:$i" >"$W/shape$i" || exit 1; done
operations=(load tag rmi prune build halves)
if "$LEARN" registry serve --help 2>&1 | grep -q 'registry serve' && "$LEARN" docker pull --help 2>&1 | grep -q 'docker pull'; then
  port=$((20000 + RANDOM % 20000))
  "$LEARN" registry serve -q --addr "127.0.0.1:$port" --storage "$W/registry" >"$W/registry.log" 2>&1 & served=$!
  hub=127.0.0.1:$port
  for i in 1 2 3; do live tag "app:$i" "$hub/app:$i"; for _ in $(seq 50); do live push -q "$hub/app:$i" >/dev/null 2>&1 && break; sleep 0.2; done; live rmi "$hub/app:$i" >/dev/null || exit 1; done
  operations+=(pull push gc)
fi
[ $# -eq 0 ] || operations=("$@")

# The registry whose storage is cut. Who pushes has a home that is not on the disk: its syncs would make the registry's files durable, too.
pusher() { LEARN_HOME=$W/pusher "$LEARN" docker "$@"; }
# serve STORAGE ADDRESS: a registry; its process is $pid, its address $at_host.
serve() {
  : >"$W/serving"
  LEARN_HOME=$W/pusher "$LEARN" registry serve -q --delete --addr "$2" --storage "$1" >"$W/serving" 2>"$W/serve.err" & pid=$!
  for _ in $(seq $((PATIENCE * 50))); do at_host=$(sed -n 's/.* on \([^;]*\);.*/\1/p' "$W/serving"); [ -z "$at_host" ] || return 0; sleep 0.02; done
  fail "the registry does not start: $(cat "$W/serve.err")"; kill "$pid"; wait "$pid"; return 1
}
entries() { sed -n 's/.*"digest":"\([^"]*\)".*"learn.repository":"\([^"]*\)".*/\2@\1/p' "$1/index.json"; }                     # REPOSITORY@DIGEST
named() { sed -n 's/.*"org.opencontainers.image.ref.name":"\([^"]*\)".*/\1/p' "$1/index.json" | sort -u; }                     # REPOSITORY:TAG
digest_of() { sed -n "s/.*\"digest\":\"\\([^\"]*\\)\".*\"org.opencontainers.image.ref.name\":\"$2\".*/\\1/p" "$1/index.json"; } # STORAGE NAME
delete() { # NAME: its manifest, with all its tags
  local g answer
  rm -f "$W/acked/$1"
  g=$(digest_of "$LIVE/storage" "$1")
  exec 3<>"/dev/tcp/${store%:*}/${store##*:}" && printf 'DELETE /v2/%s/manifests/%s HTTP/1.0\r\n\r\n' "${1%:*}" "$g" >&3 && read -r answer <&3; exec 3>&-
  case $answer in *" 202 "*) touch "$W/gone/$1" ;; *) echo "delete $1: $answer" >>"$W/broken" ;; esac
}
bring() { pusher push -q "$store/$1" >/dev/null 2>>"$W/push.err" && touch "$W/acked/$1"; } # NAME
stop_store() { [ -z "$stored" ] || { kill "$stored"; wait "$stored"; stored=; }; }
# storage NAME...: the registry has these images and no others, durably.
storage() {
  stop_store
  rm -rf "$LIVE/storage" "$W/acked" "$W/gone" "$W/broken" "$W/pusher/transfers.json"; mkdir "$W/acked" "$W/gone"; : >"$W/push.err"
  serve "$LIVE/storage" "${store:-127.0.0.1:0}" || exit 1
  stored=$pid
  if [ -z "${store:-}" ]; then
    store=$at_host
    pusher load -q -i "$W/apps.tar" >/dev/null || exit 1
    for i in 1 2 3; do
      pusher tag "app:$i" "$store/app:$i"; pusher tag "app:$i" "$store/other:$i"
      bring "app:$i" || { cat "$W/push.err"; exit 1; }
      digest_of "$LIVE/storage" "app:$i" >"$W/digest$i"
    done
    storage "$@"; return
  fi
  for i in "$@"; do bring "$i" || { cat "$W/push.err"; exit 1; }; done
  sync -f "$LIVE"
}
# Of each name only one thing is done in an operation, so that it is known at any moment what must be there.
push_operation() { bring app:2 & bring app:3; wait $!; bring other:3; pusher tag app:2 "$store/app:1"; bring app:1; pusher tag app:1 "$store/app:1"; }
collect() { "$LEARN" registry gc --storage "$LIVE/storage" --older-than 0 >/dev/null 2>>"$W/push.err" || echo "gc: $(cat "$W/push.err")" >>"$W/broken"; }
gc_operation() { delete app:2; collect & bring other:2; wait $!; delete app:3; collect; bring other:1; }
# judge looks at a storage as somebody would who serves it again.
judge() {
  local f name out i
  for f in "$CUT"/storage/blobs/sha256/*; do [ -e "$f" ] && [ "$(sha256sum <"$f" | command cut -c1-64)" != "${f##*/}" ] && fail "blob ${f##*/} has $(stat -c %s "$f") bytes that are not its own"; done
  serve "$CUT/storage" 127.0.0.1:0 || return
  judged=$pid
  for name in $must; do named "$CUT/storage" | grep -qxF "$name" || fail "$name was pushed and is not there"; done
  for name in $mustnot; do named "$CUT/storage" | grep -qxF "$name" && fail "$name was deleted and is there"; done
  held
  out=$("$LEARN" registry gc --storage "$CUT/storage" --older-than 0 2>&1) || fail "gc: $out"
  held
  for i in 1 2 3; do pusher tag "app:$i" "$at_host/app:$i"; out=$(pusher push -q "$at_host/app:$i" 2>&1) || fail "push of app:$i afterwards: $out"; pusher rmi "$at_host/app:$i" >/dev/null; done
  held
  for i in 1 2 3; do [ "$(digest_of "$CUT/storage" "app:$i")" = "$(cat "$W/digest$i")" ] || fail "app:$i can't be pushed anew"; done
  kill "$judged"; wait "$judged" || fail "the registry ends with $?"; judged=
}
# held pulls everything that is listed, by digest, into a home that knows nothing.
held() {
  local name out
  rm -rf "$W/home"
  for name in $(entries "$CUT/storage" | sort -u); do
    out=$(LEARN_HOME=$W/home "$LEARN" docker pull -q "$at_host/$name" 2>&1) || fail "pull $name: $out"
    grep -qxF "${name##*@}" "$W"/digest[123] || fail "$name was never pushed"
  done
}

empty() { live rmi -f $(live images -q app; [ -z "${hub:-}" ] || live images -q "$hub/app") >/dev/null 2>&1; live builder prune -af >/dev/null 2>&1; }
full() { live load -q -i "$W/apps.tar" >/dev/null; }
prepare() {
  case $op in
    load | pull) empty ;;
    tag) empty; full ;;
    rmi | prune | build) full; live builder prune -af >/dev/null; [ "$op" != prune ] || { live tag app:3 app:1 && live tag app:3 app:2; } ;;
    halves) empty; full; for i in 1 2 3; do live rm "$(live create "app:$i" x)"; done >/dev/null ;;
    push) storage app:1 ;;
    gc) storage app:1 app:2 app:3 other:3 ;;
  esac
}
operation() {
  case $op in
    load) full ;;
    pull) for i in 1 2 3; do live pull -q "$hub/app:$i"; done ;;
    tag) for i in 1 2 3; do live tag app:3 "app:$i"; live tag app:1 other:$i; done ;;
    rmi) live rmi -f app:1 app:2; live rmi -f app:3 ;;
    prune) live image prune -f ;;
    build) live build -q --no-cache -f "$W/context/1" -t app:new "$W/context" ;;
    halves) live system prune -f --archives; live system prune -f --unpacked ;;
    push) push_operation ;;
    gc) gc_operation ;;
  esac >/dev/null 2>&1
}
state() { (cd "$CUT/home" && find images snapshots containers volumes cache -printf '%P %y %s %m\n' 2>/dev/null | sort); }
# look judges the copy as somebody would who switches the machine on again.
look() {
  local out i name id
  printf 00000000-0000-4000-8000-%012d "$round" >"$CUT/home/boot-id"
  out=$(timeout "$PATIENCE" env LEARN_HOME="$CUT/home" "$LEARN" docker images 2>&1) || fail "images: $out"
  out=$(cut system check 2>&1) || fail "check: $out"
  state >"$W/before"; cut system check >/dev/null 2>&1 || fail "the second check finds something"; state >"$W/after"
  cmp -s "$W/before" "$W/after" || fail "the second check changed something: $(diff "$W/before" "$W/after" | head -5)"
  while read -r name id; do # of every name
    case $name in *"<none>"*) name=$id ;; esac
    shape cut "$name" >"$W/shape" 2>"$W/err" || fail "unpack $name: $(cat "$W/err")"
    case $name in *app:[123]) [ "$op" = tag ] || [ "$op" = prune ] || cmp -s "$W/shape" "$W/shape${name##*:}" || fail "$name is another tree than before" ;; esac
    case $name in *app:[123] | other:*) cat "$W"/shape[123] | grep -qF "$(command cut -c1-64 "$W/shape")" || fail "$name is a tree that never was" ;; esac
  done < <(cut images --format '{{.Repository}}:{{.Tag}} {{.ID}}' 2>/dev/null | command grep -v '^learn/base')
  cut save $(cut images -q | sort -u) 2>"$W/err" >/dev/null || fail "save: $(cat "$W/err")"
  out=$(cut rmi -f $(cut images -q | sort -u) 2>&1) || fail "rmi: $out"
  out=$(cut system prune -af 2>&1) || fail "prune: $out"
  out=$(cut system check 2>&1) || fail "check of the emptied home: $out"
  left=$(cut images -q | wc -l); [ "$left" = 0 ] || fail "$left images stay"
  left=$(cd "$CUT/home" && find images/blobs/sha256 snapshots/layers snapshots/keys skeletons tmp -mindepth 1 -maxdepth 1 2>/dev/null)
  [ -z "$left" ] || fail "left over: $left"
}

declare -A takes
for round in $(seq "$rounds"); do
  op=${operations[$(((round - 1) % ${#operations[@]}))]}
  prepare
  if [ -z "${takes[$op]:-}" ]; then
    began=$(now); operation; takes[$op]=$(($(now) - began)); prepare
  fi
  at=$((RANDOM * (takes[$op] + takes[$op] / 10 + 1) / 32768))
  operation & running=$!
  sleep "$(printf '%d.%03d' $((at / 1000)) $((at % 1000)))"
  must=$(ls "$W/acked" 2>/dev/null) mustnot=$(ls "$W/gone" 2>/dev/null)
  cp --reflink=always "$W/outer/disk.img" "$W/outer/cut.img" || { fail "copy"; break; }
  for name in $must; do [ -e "$W/acked/$name" ] || must=${must/"$name"/}; done # its deletion may have begun before the copy
  wait "$running"
  [ ! -s "$W/broken" ] || fail "before the cut: $(cat "$W/broken")"
  if mount -o loop "$W/outer/cut.img" "$CUT"; then case $op in push | gc) judge ;; *) look ;; esac; umount "$CUT"; else fail "the copy can't be mounted"; fi
  rm -f "$W/outer/cut.img"
  [ -z "${VERBOSE:-}" ] || echo "round $round: $op, cut after $at of ${takes[$op]} ms, $bad failures so far"
done
echo "$rounds cuts of ${operations[*]}, $bad failures"
[ "$bad" -eq 0 ]

#!/bin/bash
# bench/run.sh [GROUP...]   groups: start lifecycle build builds saveload files runtime trace memory sim
# Times learn against the peers that are there, all in one run. It wants root, a busybox binary, and, for the columns of the peers: crun, podman, and a
# docker whose daemon answers (DOCKER_HOST). PODMAN_RUN adds flags to podman run. N=rounds.
# The ratio in each table is to its first row.
set -uo pipefail
cd "$(dirname "$0")/.."
W=${BENCH_DIR:-/tmp/learn-bench}; mkdir -p "$W"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$W/learn" ./cmd/learn && go build -o "$W/whole" ./bench/whole || exit 1
export LEARN_HOME=$W/home
L="$W/learn docker"; P="podman"; D="docker"
has() { command -v "$1" >/dev/null 2>&1; }
podman_ok() { has podman && podman info >/dev/null 2>&1; }
docker_ok() { has docker && docker version >/dev/null 2>&1; }
c() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }
t() { echo; echo "## $1"; "$W/whole" -n "${N:-$2}" -w "${3:-2}"; }

inputs() {
  [ -e "$W/busybox.tar" ] && return
  local bb; bb=$(command -v busybox) r=$W/rootfs; rm -rf "$r"; mkdir -p "$r"/{bin,etc,tmp,root,proc,sys,dev}
  cp "$bb" "$r/bin/busybox"; for a in $("$bb" --list); do [ "$a" = busybox ] || ln -s busybox "$r/bin/$a"; done
  printf '#!/bin/sh\ntrap "exit 0" TERM\nsleep 100000 &\nwait\n' >"$r/bin/serve"; chmod +x "$r/bin/serve"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$r/etc/passwd"
  tar --numeric-owner --sort=name -C "$r" -cf "$W/rootfs.tar" .
  $L import -c 'ENV PATH=/bin' -c 'CMD ["sh"]' "$W/rootfs.tar" busybox:peer >/dev/null && $L save -o "$W/busybox.tar" busybox:peer
  mkdir -p "$W/ten" "$W/1g"
  { echo 'FROM busybox:peer'; for i in $(seq 10); do echo "RUN echo $i > /step$i"; done; } >"$W/ten/Dockerfile"
  head -c 1G /dev/urandom >"$W/1g/blob"; printf 'FROM busybox:peer\nCOPY blob /blob\n' >"$W/1g/Dockerfile"
  if has crun; then rm -rf "$W/bundle"; mkdir -p "$W/bundle"; cp -a "$r" "$W/bundle/rootfs"
    (cd "$W/bundle" && crun spec && sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"\/bin\/true"/' config.json); fi
}
peers() {
  podman_ok && { podman load -q -i "$W/busybox.tar" >/dev/null; podman tag localhost/busybox:peer docker.io/library/busybox:peer 2>/dev/null; }
  docker_ok && docker load -q -i "$W/busybox.tar" >/dev/null
  $L run --rm learn/base true; $L run --rm busybox:peer true
}

start() {
  { c 'learn run --rm learn/base true' '' "$L run --rm --network none learn/base true"
    c 'learn run --rm busybox true' '' "$L run --rm --network none busybox:peer true"
    has crun && c 'crun run (ready bundle)' '' "crun run -b $W/bundle bench1"
    podman_ok && c 'podman run --rm' '' "$P run --rm ${PODMAN_RUN:-} --network none busybox:peer true"
    docker_ok && c 'docker run --rm' '' "$D run --rm --network none busybox:peer true"
  } | t 'start: a container that runs true' 20
  $L rm -f e1 >/dev/null 2>&1; $L run -d --name e1 learn/base sleep 100000 >/dev/null
  docker_ok && { $D rm -f e1; $D run -d --network none --name e1 busybox:peer serve; } >/dev/null 2>&1
  podman_ok && { $P rm -f e1; $P run -d ${PODMAN_RUN:-} --network none --name e1 busybox:peer serve; } >/dev/null 2>&1
  { c 'learn exec' '' "$L exec e1 true"
    podman_ok && c 'podman exec' '' "$P exec e1 true"
    docker_ok && c 'docker exec' '' "$D exec e1 true"; } | t 'exec true' 20
  $L rm -f e1 >/dev/null; docker_ok && $D rm -f e1 >/dev/null; podman_ok && $P rm -f e1 >/dev/null
}

lifecycle() {
  local r='--network none --name b1 busybox:peer'
  for verb in create start rm; do
    for e in "learn|$L" "podman|$P" "docker|$D"; do IFS='|' read -r l x <<<"$e"
      case $l in podman) podman_ok || continue;; docker) docker_ok || continue;; esac
      case $verb in
        create) c "$l create" "$x rm -f b1" "$x create $r serve";;
        start) c "$l start" "$x rm -f b1; $x create $r serve" "$x start b1";;
        rm) c "$l rm" "$x rm -f b1; $x run $r true" "$x rm b1";;
      esac
    done | t "$verb" 10
  done
  $L rm -f b1 >/dev/null 2>&1; docker_ok && $D rm -f b1 >/dev/null 2>&1; podman_ok && $P rm -f b1 >/dev/null 2>&1
}

build() {
  { c 'learn build ten-runs, cold' '' "$L build --no-cache -t ten $W/ten"
    docker_ok && c 'docker build ten-runs, cold' '' "env DOCKER_BUILDKIT=${BUILDKIT:-0} $D build --no-cache -t ten $W/ten"
    [ -n "${DOCKER_BK:-}" ] && c 'docker BuildKit ten-runs, cold' "$D builder prune -af" "env DOCKER_BUILDKIT=1 $DOCKER_BK build --no-cache -t kten $W/ten"
    podman_ok && c 'podman build ten-runs, cold' '' "$P build --no-cache -t ten $W/ten"; } | t 'build ten-runs, cold' 5 1
  { c 'learn build ten-runs, all hits' '' "$L build -t ten $W/ten"
    docker_ok && c 'docker build ten-runs, all hits' '' "env DOCKER_BUILDKIT=${BUILDKIT:-0} $D build -t ten $W/ten"
    [ -n "${DOCKER_BK:-}" ] && c 'docker BuildKit ten-runs, all hits' '' "env DOCKER_BUILDKIT=1 $DOCKER_BK build -t kten $W/ten"
    podman_ok && c 'podman build ten-runs, all hits' '' "$P build -t ten $W/ten"; } | t 'build ten-runs, all hits' 10 2
}

# One table: build DIR as NAME after PREPARE, by everybody who is here. cold: nothing is known of it. DOCKER_BK is a docker with a BuildKit client.
contest() { # NAME DIR PREPARE ROUNDS cold? WHAT
  local name=$1 dir=$2 prepare=$3 rounds=$4 no='' forget=true
  if [ -n "$5" ]; then no=--no-cache forget="$L rmi -f $name; $L builder prune -af"; fi
  { c "learn $6" "$prepare; $forget" "$L build -t $name $dir"
    [ -n "${DOCKER_BK:-}" ] && c "BuildKit $6" "$prepare${no:+; $DOCKER_BK builder prune -af}" "env DOCKER_BUILDKIT=1 $DOCKER_BK build $no -t k$name $dir"
    docker_ok && c "docker classic $6" "$prepare" "env DOCKER_BUILDKIT=0 ${DOCKER_BK:-$D} build $no -t $name $dir"
    podman_ok && c "podman $6" "$prepare" "$P build $no -t $name $dir"
    [ -n "${BUILDAH:-}" ] && c "buildah $6" "$prepare" "$BUILDAH bud --layers $no -t $name $dir"; } | t "build: $6" "$rounds" "${WARM:-1}"
}

builds() {
  if [ ! -e "$W/100m/Dockerfile" ]; then
    mkdir -p "$W/100m/src" "$W/multi"
    head -c 78643200 /dev/urandom | base64 | head -c 104857600 | (cd "$W/100m/src" && split -b 10486 -d -a 4 - f)
    for d in $(seq -w 0 99); do mkdir "$W/100m/src/d$d"; mv "$W"/100m/src/f??"$d" "$W/100m/src/d$d/"; done
    printf 'FROM busybox:peer\nCOPY src /src\n' >"$W/100m/Dockerfile"
    { for i in 1 2 3 4; do printf 'FROM busybox:peer AS s%s\nRUN sleep 1; echo %s > /out%s\n' $i $i $i; done
      echo 'FROM busybox:peer'; for i in 1 2 3 4; do echo "COPY --from=s$i /out$i /out$i"; done; } >"$W/multi/Dockerfile"
  fi
  contest 10k "$W/100m" true 3 cold '10,000 files, 100 MB, cold'
  contest 10k "$W/100m" true 5 '' '10,000 files, cached'
  contest 10k "$W/100m" "find $W/100m/src -type f -exec touch {} +" 3 '' '10,000 files, all touched'
  contest 10k "$W/100m" "sh -c 'date +%N >$W/100m/src/d50/one'" 3 '' '10,000 files, one changed'
  echo "cp -r $W/100m/src $W/copy && sync -f $W/copy" >"$W/floor.sh"
  { c 'cp -r and sync (floor)' "rm -rf $W/copy" "sh $W/floor.sh"; } | t '10,000 files: floor' 3 1; rm -rf "$W/copy"
  WARM=0 contest 1g "$W/1g" true 2 cold '1 GiB file, cold'
  contest 1g "$W/1g" true 5 '' '1 GiB file, cached'
  WARM=0 contest 1g "$W/1g" "touch $W/1g/blob" 2 '' '1 GiB file, touched'
  contest ten "$W/ten" true 3 cold 'ten RUN steps, cold'
  contest ten "$W/ten" true 5 '' 'ten RUN steps, cached'
  contest multi "$W/multi" true 3 cold 'four stages of a second each, cold'
  [ -n "${APP:-}" ] || return 0 # a folder with the Debian app: FROM debian:12, which everybody must have
  contest app "$APP" true 3 cold 'Debian app, cold'
  contest app "$APP" true 5 '' 'Debian app, cached'
  contest app "$APP" "sh -c 'date +%N >$APP/src/m1.py'" 3 '' 'Debian app, one file changed'
}

saveload() {
  $L build -q -t 1g "$W/1g" >/dev/null; docker_ok && $D build -q -t 1g "$W/1g" >/dev/null; podman_ok && $P build -q -t 1g "$W/1g" >/dev/null
  { c 'learn save 1 GiB' "rm -f $W/l.tar" "$L save -o $W/l.tar 1g"
    podman_ok && c 'podman save 1 GiB' "rm -f $W/p.tar" "$P save -q -o $W/p.tar 1g"
    docker_ok && c 'docker save 1 GiB' "rm -f $W/d.tar" "$D save -o $W/d.tar 1g"; } | t 'save 1 GiB' 3 1
  { c 'learn load 1 GiB' "$L rmi -f 1g; $L builder prune -f" "$L load -q -i $W/l.tar"
    podman_ok && c 'podman load 1 GiB' "$P rmi -f 1g" "$P load -q -i $W/l.tar"
    docker_ok && c 'docker load 1 GiB' "$D rmi -f 1g; $D image prune -f" "$D load -q -i $W/l.tar"
    c 'cp and fsync 1 GiB (floor)' "rm -f $W/x" "dd if=$W/1g/blob of=$W/x bs=1M conv=fsync"; } | t 'load 1 GiB' 3 1
  rm -f "$W"/{l,p,d}.tar "$W/x"
}

trace() {
  local tr="$W/learn --trace $W/t.jsonl docker" r=$W/t.jsonl
  { c 'run, trace off' '' "$L run --rm learn/base true"; c 'run, trace on' "rm -f $r" "$tr run --rm learn/base true"; } | t 'trace: run' 40
  { c 'build cold, trace off' '' "$L build --no-cache -t ten $W/ten"; c 'build cold, trace on' "rm -f $r" "$tr build --no-cache -t ten $W/ten"; } | t 'trace: build ten-runs' 10 1
  { c 'build hits, trace off' '' "$L build -t ten $W/ten"; c 'build hits, trace on' "rm -f $r" "$tr build -t ten $W/ten"; } | t 'trace: build, all hits' 40
}

memory() {
  echo; echo '## memory of an idle supervisor (KiB)'
  local id p; id=$($L run -d learn/base sleep 1000)
  sleep 1
  p=$(sed -n 's/.*"shim_pid": *\([0-9]*\).*/\1/p' "$LEARN_HOME/containers/$id/task.json")
  grep -E '^(Rss|Private_Clean|Private_Dirty|Anonymous)' "/proc/$p/smaps_rollup"
  $L rm -f "$id" >/dev/null
}

# The simulator against the kernel: the same lesson, the same container, the same 10,000 files.
sim() {
  local K="env LEARN_HOME=$W/simhome/linux LEARN_DRIVER=linux $W/learn" S="env LEARN_HOME=$W/simhome/sim LEARN_DRIVER=sim $W/learn"
  if [ ! -e "$W/10k/Dockerfile" ]; then
    mkdir -p "$W/10k/files"; (cd "$W/10k/files" && for d in $(seq 100); do mkdir "d$d"; for f in $(seq 100); do head -c 2000 /dev/urandom >"d$d/f$f"; done; done)
    printf 'FROM learn/base\nCOPY files /files\nRUN rm /files/d1/f1\n' >"$W/10k/Dockerfile"
    printf 'FROM learn/base\nRUN mkdir /m && cd /m && for i in $(seq 10000); do echo $i > f$i; done\n' >"$W/10k/run"
  fi
  for d in "$K" "$S"; do $d docker run --rm learn/base true; done
  { c 'lesson 1, kernel' '' "$K play layers --auto"; c 'lesson 1, simulator' '' "$S play layers --auto"; } | t 'sim: lesson layers, whole process' 10
  { c 'lesson 2, kernel' '' "$K play copy-on-write --auto"; c 'lesson 2, simulator' '' "$S play copy-on-write --auto"; } | t 'sim: lesson copy-on-write, whole process' 10
  { c 'run, kernel' '' "$K docker run --rm learn/base true"; c 'run, simulator' '' "$S docker run --rm learn/base true"; } | t 'sim: a container that runs true' 20
  local clean='docker rmi -f k' prune='docker builder prune -f'
  { c 'COPY 10,000 files and change one, kernel' "$K $clean; $K $prune" "$K docker build -t k $W/10k"
    c 'COPY 10,000 files and change one, simulator' "$S $clean; $S $prune" "$S docker build -t k $W/10k"; } | t 'sim: build with 10,000 files copied' 5 1
  { c 'RUN makes 10,000 files, kernel' "$K $clean; $K $prune" "$K docker build -t k -f $W/10k/run $W/ten"
    c 'RUN makes 10,000 files, simulator' "$S $clean; $S $prune" "$S docker build -t k -f $W/10k/run $W/ten"; } | t 'sim: build with 10,000 files made by a step' 5 1
}

. bench/files.sh
. bench/runtime.sh
inputs; peers
for g in ${@:-start lifecycle build builds saveload files runtime trace memory sim}; do "$g"; done

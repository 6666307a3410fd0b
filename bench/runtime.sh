# The group "runtime" of bench/run.sh, which sources this file: what a container costs from its start to its end, and what many cost.
runtime() {
  local x crun_exec=''
  has crun && crun_exec=1
  $L rm -f e1 >/dev/null 2>&1; $L run -d --name e1 --network none busybox:peer serve >/dev/null
  if [ -n "$crun_exec" ]; then
    rm -rf "$W/bundle-serve"; cp -a "$W/bundle" "$W/bundle-serve"; sed -i 's#"/bin/true"#"/bin/serve"#' "$W/bundle-serve/config.json"
    crun delete -f bench-serve >/dev/null 2>&1; crun run -d -b "$W/bundle-serve" bench-serve </dev/null >/dev/null 2>&1 || crun_exec=''
  fi
  { c 'learn exec' '' "$L exec e1 true"
    [ -n "$crun_exec" ] && c 'crun exec' '' "crun exec bench-serve true"; } | t 'exec against crun' 20
  [ -n "$crun_exec" ] && crun delete -f bench-serve >/dev/null 2>&1
  $L rm -f e1 >/dev/null
  for x in "learn|$L" "docker|$D"; do
    [ "${x%%|*}" = learn ] || docker_ok || continue
    printf '%s rm -f b1 >/dev/null 2>&1\nset -e\n%s create --network none --name b1 busybox:peer serve >/dev/null\n%s start b1 >/dev/null\n%s stop b1 >/dev/null\n%s rm b1 >/dev/null\n' \
      "${x#*|}" "${x#*|}" "${x#*|}" "${x#*|}" "${x#*|}" >"$W/life-${x%%|*}.sh"
  done
  { c 'learn create, start, stop, rm' '' "sh $W/life-learn.sh"
    docker_ok && c 'docker create, start, stop, rm' '' "sh $W/life-docker.sh"; } | t 'a whole life, of a process that handles SIGTERM' 10
  runtime_own; runtime_many
}

# The engine's own part: from the parsed command until the program has been executed, by the trace's clock; and the same done bare in C.
runtime_own() {
  echo; echo '## from the parsed command to the executed program (medians, microseconds)'
  has cc || { echo 'no C compiler: no floor'; return; }
  cc -O2 -o "$W/floor" bench/floor/floor.c; mkdir -p "$W/fl/u" "$W/fl/w"
  for _ in $(seq 30); do
    rm -f "$W/own.jsonl"; "$W/learn" --trace "$W/own.jsonl" docker run --rm --network none busybox:peer true
    sed -nE 's/.*"at_ns":([0-9]+),.*"kind":"(command|proc\.exec)","phase":"(begin|note)".*/\2 \1/p' "$W/own.jsonl" | awk '$1=="command"{b=$2} $1=="proc.exec"{print int(($2-b)/1000)}'
  done | sort -n | awk '{a[NR]=$1} END{print "learn, traced", a[int((NR+1)/2)]}'
  echo "floor in C $("$W/floor" 100 "$W/rootfs" "$W/fl/u" "$W/fl/w")"
  rm -rf "$W/fl" "$W/own.jsonl"
}

# Processor time of commands that look at many containers, in milliseconds, of five runs.
runtime_many() {
  echo; echo '## many containers: user and system time of one command (ms, five runs each)'
  local i; for i in $(seq 50); do $L run -d --name "m$i" learn/base sleep 100000 >/dev/null; done
  busy "stats --no-stream, 50 running" $L stats --no-stream
  for i in $(seq 51 500); do $L create --name "m$i" learn/base true >/dev/null; done
  busy "ps -a, 500 containers" $L ps -a
  memory
  $L rm -f $(seq -f 'm%.0f' 500) >/dev/null
}

busy() { # WHAT COMMAND...
  local what=$1; shift
  "$@" >/dev/null
  printf '%s:' "$what"
  for _ in 1 2 3 4 5; do
    { TIMEFORMAT='%U %S'; time "$@" >/dev/null 2>&1; } 2>&1 | awk '{printf " %d", ($1+$2)*1000}'
  done
  echo
}

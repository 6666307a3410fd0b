#!/bin/bash
# transitions.sh DOCKER IMAGE [DOCKER IMAGE]
# Drives every command against a container in every state and prints one line for each: state, command, exit code, state after, message.
# With two engines it prints where they differ (diff). A word of DOCKER may be a whole command: transitions.sh docker busybox "learn docker" learn/base
# It needs a daemon for docker, so it is run by hand; the table that the tests hold is in engine/container/machine_test.go.
set -u
name=transition-$$
commands="start
stop -t 1
stop -t 1 -s KILL
restart -t 1
kill
kill -s HUP
pause
unpause
rm
rm -f
exec CTR true
top
commit
diff
attach --no-stdin
logs
wait
rename CTR CTR-new
update --restart no
export -o TAR
cp CTR:/etc/hostname -
cp /etc/hostname CTR:/tmp/x
inspect -f {{.Name}}"

fresh() { # fresh STATE: a container in that state
  $D rm -f $name $name-new >/dev/null 2>&1
  case $1 in
  created) $D create --name $name $I sleep 1000 >/dev/null ;;
  restarting)
    $D run -d --restart always --name $name $I sh -c 'exit 3' >/dev/null
    until [ "$($D inspect -f '{{.State.Status}} {{ge .RestartCount 4}}' $name)" = "restarting true" ]; do sleep 0.02; done ;;
  *) $D run -d --name $name $I sh -c 'trap "exit 0" TERM; trap : HUP; while true; do sleep 1; done' >/dev/null; sleep 0.3 ;;
  esac
  case $1 in
  paused) $D pause $name >/dev/null ;;
  exited) $D kill $name >/dev/null; $D wait $name >/dev/null ;;
  esac
}

table() {
  local state line words said code after id
  for state in created running paused restarting exited; do
    while read -r line; do
      fresh $state
      id=$($D inspect -f '{{.Id}}' $name)
      line=${line//TAR/$tar}
      case $line in *CTR*) words=${line//CTR/$name} ;; *) words="$line $name" ;; esac
      said=$(timeout 4 $D $words 2>&1 >/dev/null </dev/null); code=$?
      after=$($D inspect -f '{{.State.Status}}' $id 2>/dev/null) || after=gone
      said=$(echo "$said" | tr '\n' ' ' | sed "s|$tar|TAR|g; s/$id/ID/g; s/${id:0:12}/ID/g; s/$name/CTR/g; s/  */ /g; s/ $//")
      echo "$state | ${line//$tar/TAR} | $code | $after | $said"
    done <<<"$commands"
  done
  $D rm -f $name $name-new >/dev/null 2>&1
}

tar=$(mktemp)
trap 'rm -f "$tar"' EXIT
D=$1 I=$2
if [ $# -lt 4 ]; then table; exit; fi
one=$(mktemp) two=$(mktemp)
trap 'rm -f "$tar" "$one" "$two"' EXIT
table >"$one"
D=$3 I=$4
table >"$two"
diff "$one" "$two"

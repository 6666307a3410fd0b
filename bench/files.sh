# The group "files" of bench/run.sh, which sources this file: copies, differences, commits and exports of 10,000 changed files and of one of
# 1 GiB. Every table has learn first and docker's daemon after it; the ratio is to learn, so 2 and more is twice as fast.
files() {
  local n x
  if [ ! -d "$W/files10k" ]; then
    mkdir -p "$W/files10k"
    head -c 78643200 /dev/urandom | base64 | head -c 104857600 | (cd "$W/files10k" && split -b 10486 -d -a 4 - f)
    for d in $(seq -w 0 99); do mkdir "$W/files10k/d$d"; mv "$W"/files10k/f??"$d" "$W/files10k/d$d/"; done
  fi
  for x in "$L" "$D"; do
    [ "$x" = "$D" ] && ! docker_ok && continue
    $x rm -f w10k w1g >/dev/null 2>&1
    for n in w10k w1g; do $x create --network none --name $n busybox:peer sh >/dev/null; done
    $x cp "$W/files10k" w10k:/src; $x cp "$W/1g/blob" w1g:/blob
  done
  each_engine() { # WHAT PREPARE COMMAND: X stands for the engine, E for its name
    local e; for e in learn docker; do [ $e = learn ] || docker_ok || continue
      x=$L; [ $e = learn ] || x=$D
      c "$e $1" "$(sed "s|\\bX\\b|$x|g; s|\\bE\\b|$e|g" <<<"$2")" "$(sed "s|\\bX\\b|$x|g; s|\\bE\\b|$e|g" <<<"$3")"; done; }
  each_engine 'diff, 10,000 changes' '' 'X diff w10k' | t 'diff' 5
  for n in w10k w1g; do
    each_engine "commit $n" 'X rmi -f cm' "X commit $n cm" | t "commit $n" 3 0
    each_engine "export $n" "rm -f $W/E.tar" "X export -o $W/E.tar $n" | t "export $n" 3 1
  done
  each_engine 'cp in, 10,000 files' 'X rm -f ww; X create --network none --name ww busybox:peer sh' "X cp $W/files10k ww:/src" | t 'cp in: 10,000 files' 3 1
  each_engine 'cp out, 10,000 files' "rm -rf $W/E.out" "X cp w10k:/src $W/E.out" | t 'cp out: 10,000 files' 3 1
  each_engine 'cp in, 1 GiB' 'X rm -f ww; X create --network none --name ww busybox:peer sh' "X cp $W/1g/blob ww:/blob" | t 'cp in: 1 GiB' 2 0
  each_engine 'cp out, 1 GiB' "rm -f $W/E.blob" "X cp w1g:/blob $W/E.blob" | t 'cp out: 1 GiB' 2 0
  for x in "$L" "$D"; do $x rm -f ww w10k w1g >/dev/null 2>&1; $x rmi -f cm >/dev/null 2>&1; done
  rm -rf "$W"/{learn,docker}.{tar,out,blob}
}

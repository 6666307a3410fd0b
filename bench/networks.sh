#!/usr/bin/env bash
# What networks cost, and what passes through them: bench/networks.sh LEARN. As root; in a network namespace of its own, with a home of its own.
# With PEER, the command that enters a docker daemon's namespaces (nsenter ...), published ports are compared with docker's, turn by turn;
# busybox:peer must be in its store, and its archive be BUSYBOX. Needs iproute2, curl and python3.
set -euo pipefail
learn=$(realpath "$1")
work=$(mktemp -d)
ns=learn-bench-$$
export LEARN_HOME=$work/home LEARN_OFFLINE=1
in_ns() { ip netns exec "$ns" "$@"; }
end() {
  in_ns "$learn" docker ps -aq 2>/dev/null | xargs -r ip netns exec "$ns" "$learn" docker rm -f >/dev/null || true
  [ -z "${PEER:-}" ] || $PEER docker rm -f published >/dev/null 2>&1 || true
  ip netns del "$ns"
  rm -rf "$work"
}
ip netns add "$ns"
trap end EXIT
in_ns ip link set lo up
in_ns ip addr add 10.9.9.1/32 dev lo
in_ns "$learn" docker run --rm learn/base true

cat >"$work/more.py" <<'PY'
import statistics, subprocess, sys, time
def run(*options):
    begin = time.perf_counter()
    subprocess.run([sys.argv[1], "docker", "run", "--rm", *options, "learn/base", "true"], check=True)
    return (time.perf_counter() - begin) * 1e3
pairs = [(run("--network", "none"), run(*sys.argv[3:])) for _ in range(40)]
print(f"{sys.argv[2]:34} none {statistics.median(a for a, _ in pairs):6.1f} ms, more {statistics.median(b - a for a, b in pairs):6.1f} ms")
PY
in_ns python3 "$work/more.py" "$learn" 'run --rm, the bridge is made anew'
in_ns "$learn" docker run -d --name keep learn/base sleep 100000 >/dev/null
in_ns python3 "$work/more.py" "$learn" 'run --rm, others are on the bridge'
in_ns python3 "$work/more.py" "$learn" '200 ports in a range' -p 8000-8199:8000-8199

cat >"$work/names.py" <<'PY'
import socket, time
def ask(name):
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    begin = time.perf_counter()
    s.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0" + question + b"\0\0\1\0\1", ("127.0.0.11", 53))
    answer = s.recv(512)
    assert answer[3] & 15 == 0, name
    return (time.perf_counter() - begin) * 1e6
times = sorted(ask(f"c{1 + i % 10}") for i in range(5000))
print(f"a lookup among 10 names: median {times[2500]:.0f}, 99 of 100 under {times[4950]:.0f} us")
PY
in_ns "$learn" docker network create own >/dev/null
for i in $(seq 10); do in_ns "$learn" docker run -d --name "c$i" --network own learn/base sleep 100000 >/dev/null; done
nsenter -t "$(in_ns "$learn" docker inspect -f '{{.State.Pid}}' c1)" -n python3 "$work/names.py"

[ -n "${PEER:-}" ] || exit 0
serve='mkdir /w; dd if=/dev/zero of=/w/f bs=1M count=400 2>/dev/null; echo hi >/w/i; exec httpd -f -p 80 -h /w'
in_ns "$learn" docker load -i "$BUSYBOX" >/dev/null
in_ns "$learn" docker run -d --name published -p 8088:80 busybox:peer sh -c "$serve" >/dev/null
$PEER docker run -d --name published -p 8088:80 busybox:peer sh -c "$serve" >/dev/null
$PEER ip addr add 10.9.9.1/32 dev lo 2>/dev/null || true
cat >"$work/get.py" <<'PY'
import http.client, sys, time
host, what = sys.argv[1:]
if what == "latency":
    times = []
    for _ in range(300):
        begin = time.perf_counter()
        c = http.client.HTTPConnection(host, 8088)
        c.request("GET", "/i")
        c.getresponse().read()
        times.append(time.perf_counter() - begin)
    print(sorted(times)[150] * 1e6)
else:
    begin, size = time.perf_counter(), 0
    c = http.client.HTTPConnection(host, 8088)
    c.request("GET", "/f")
    r, buf = c.getresponse(), bytearray(1 << 20)
    while n := r.readinto(buf):
        size += n
    print(size / 1e6 / (time.perf_counter() - begin))
PY
until in_ns curl -sf -o /dev/null http://127.0.0.1:8088/i && $PEER curl -sf -o /dev/null http://127.0.0.1:8088/i; do sleep 0.1; done
median() { sort -n | sed -n 4p; }
for host in 127.0.0.1 10.9.9.1; do
  for what in latency throughput; do
    for _ in $(seq 7); do
      in_ns python3 "$work/get.py" "$host" "$what" >>"$work/ours.$host.$what"
      $PEER python3 - "$host" "$what" <"$work/get.py" >>"$work/docker.$host.$what"
    done
    printf 'published on %-9s %-10s learn %8.1f, docker %8.1f (us, MB/s)\n' "$host" "$what" "$(median <"$work/ours.$host.$what")" "$(median <"$work/docker.$host.$what")"
  done
done

#!/usr/bin/env bash
# Lets a docker daemon and learn exchange images through learn registry serve, and wants the same digests of manifest and config on every side.
#
#   DOCKER_HOST=unix:///path/docker.sock bench/registry-docker.sh LEARN [IMAGE...]
#
# The daemon must be in the network namespace of this script: the registry listens on the loopback interface only, which docker trusts without a certificate.
# It builds images of its own and removes nothing else; each IMAGE of the daemon is pushed and pulled besides. It wants curl, jq, openssl and htpasswd (apache2-utils).
# It prints what differs and exits with 1 if anything does.
#
#   docker push, learn pull         docker push, docker rmi, docker pull     learn push, docker pull
#   the same by digest              all tags at once                         learn pushes on what docker pushed, and docker what learn pushed
#   a list of two platforms         a blob mounted from another repository   TLS, and with a password
#   after the registry was ended, its garbage collected and it was served again
set -u
learn=$(realpath "${1:?bench/registry-docker.sh LEARN [IMAGE...]}") && shift
docker=${DOCKER:-docker} images=("$@")
for t in curl jq openssl htpasswd; do command -v $t >/dev/null || { echo "registry-docker.sh wants $t"; exit 2; }; done
"$docker" version --format '{{.Server.Version}}' >/dev/null || { echo "no daemon answers at ${DOCKER_HOST:-the default socket}"; exit 2; }
work=$(mktemp -d) served= made=() failed=0 checks=0
export LEARN_HOME=$work/home LEARN_DRIVER=sim LEARN_TRACE='' LEARN_EXPLAIN='' NO_COLOR=1 DOCKER_CONFIG=$work/config DOCKER_BUILDKIT=0
mkdir -p "$DOCKER_CONFIG" && echo '{}' >"$DOCKER_CONFIG/config.json"
trap 'end; [ ${#made[@]} = 0 ] || "$docker" rmi -f "${made[@]}" >/dev/null 2>&1; chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

L() { "$learn" docker "$@" </dev/null; }
D() { "$docker" "$@" </dev/null; }
fail() { failed=$((failed + 1)); echo "FAIL $*"; }
same() { checks=$((checks + 1)); [ -n "$2" ] && [ "$2" = "$3" ] || fail "$1: ${2:-nothing}, expected ${3:-something}"; } # WHAT GOT WANT
ok() { # COMMAND...: its output stays in $work/out
  checks=$((checks + 1)); "$@" >"$work/out" 2>&1 || { fail "$*: exit code $?: $(tail -3 "$work/out")"; return 1; }
}
refused() { # PART-OF-THE-SENTENCE COMMAND...
  local want=$1; shift; checks=$((checks + 1))
  if "$@" >"$work/out" 2>&1; then fail "$*: succeeded"; elif ! grep -qi -- "$want" "$work/out"; then fail "$*: $(tail -2 "$work/out"), expected $want"; fi
}

# serve FLAG...: a registry on a free port, $host; the same port again where one was taken before, as it is part of the images' names.
serve() {
  : >"$work/served"
  "$learn" registry serve --addr "${again:-127.0.0.1:0}" --storage "$work/storage" "$@" >"$work/served" 2>>"$work/log" & served=$!
  for _ in $(seq 200); do host=$(sed -n 's/.* on \([^;]*\);.*/\1/p' "$work/served"); [ -z "$host" ] || return 0; kill -0 $served 2>/dev/null || break; sleep .05; done
  echo "learn registry serve does not answer: $(tail -3 "$work/log")"; exit 2
}
end() { [ -z "$served" ] || { kill "$served"; wait "$served" || fail "the registry ended with exit code $?"; served=; }; }

# What the registry has: bytes, judged by sha256sum and not by anybody's header.
get() { curl -sfk ${user:+-u "$user"} "${scheme:-http}://$host/v2/$1" -H "Accept: $(accept)"; }
accept() { printf 'application/vnd.%s,' docker.distribution.manifest.v2+json docker.distribution.manifest.list.v2+json oci.image.manifest.v1+json oci.image.index.v1+json; echo '*/*'; }
sum() { echo "sha256:$(sha256sum | cut -d' ' -f1)"; }
manifest_of() { get "${1%:*}/manifests/${1##*:}" | sum; }                              # NAME:TAG
config_of() { get "${1%:*}/manifests/${1##*:}" | jq -r .config.digest; }
whole() { # NAME:TAG: every blob is what its digest says
  local d
  for d in $(get "${1%:*}/manifests/${1##*:}" | jq -r '.config.digest, .layers[].digest'); do same "blob of $1" "$(get "${1%:*}/blobs/$d" | sum)" "$d"; done
}
# What each engine says: the id is the digest of the config.
id_of() { "$1" image inspect --format '{{.Id}}' "$2"; }                              # L|D NAME
digests_of() { "$1" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$2" | sed -n "s|^${2%:*}@||p"; }
told() { sed -n 's/.*[Dd]igest: \(sha256:[0-9a-f]*\).*/\1/p' "$work/out" | tail -1; } # by the last push or pull

# agree L|D NAME:TAG: this engine's digests of $host/NAME:TAG are the registry's. Docker has two where it pulled a manifest of OCI and pushed one of its own kind.
agree() {
  same "$1: config of $2" "$(id_of "$1" "$host/$2")" "$(config_of "$2")"
  local want; want=$(manifest_of "$2")
  same "$1: manifest of $2" "$(digests_of "$1" "$host/$2" | grep -xF "$want")" "$want"
}
push() { ok "$1" push "$host/$2" && same "$1 push $2 told" "$(told)" "$(manifest_of "$2")" && whole "$2" && agree "$1" "$2"; } # L|D NAME:TAG
pull() { ok "$1" pull "$host/$2" && same "$1 pull $2 told" "$(told)" "$(manifest_of "$2")" && agree "$1" "$2"; }
drop() { "$1" rmi -f "$host/$2" >/dev/null 2>&1; }
have() { D tag "$1" "$host/$2" && made+=("$host/$2"); }                                # IMAGE NAME:TAG, at docker
pull_d() { made+=("$host/$1"); pull D "$1"; }

# context: files of all kinds, one of them too large for a single write.
context() {
  rm -rf "$work/context"; mkdir -p "$work/context/tree/deep"
  head -c 24M /dev/urandom >"$work/context/large"
  head -c 5M /dev/zero >"$work/context/tree/zeros"
  head -c 40 /dev/urandom | base64 >"$work/context/tree/deep/own"
  ln -s deep/own "$work/context/tree/link"; ln "$work/context/tree/deep/own" "$work/context/tree/hard"; : >"$work/context/tree/empty"; chmod 4755 "$work/context/tree/hard"
  printf 'FROM scratch\nCOPY tree /tree\nCOPY large /\nENV A=b\nLABEL "by"="%s"\nCMD ["/none"]\n' "$1" >"$work/context/Dockerfile"
  echo "$1" >"$work/context/tree/by"
}

one() { # NAME:TAG: docker pushes it and gets it back; so does learn
  push D "$1"
  pull L "$1"
  drop D "$1"; pull_d "$1"
  ok D pull "$host/${1%:*}@$(manifest_of "$1")"; same "docker, by digest" "$(id_of D "$host/${1%:*}@$(manifest_of "$1")")" "$(config_of "$1")"
  drop L "$1"; ok L pull "$host/${1%:*}@$(manifest_of "$1")"; same "learn, by digest" "$(id_of L "$host/${1%:*}@$(manifest_of "$1")")" "$(config_of "$1")"
}

# relayed: the manifest goes on as it is at learn; docker makes a manifest of its own kind, of the same config and layers.
relayed() {
  pull L docker/app:1; L tag "$host/docker/app:1" "$host/relayed/by-learn:1"; push L relayed/by-learn:1
  same "relayed by learn" "$(manifest_of relayed/by-learn:1)" "$(manifest_of docker/app:1)"
  have "$host/learn/app:1" relayed/by-docker:1; push D relayed/by-docker:1
  same "config relayed by docker" "$(config_of relayed/by-docker:1)" "$(config_of learn/app:1)"
  same "layers relayed by docker" "$(get relayed/by-docker/manifests/1 | jq -c '[.layers[].digest]')" "$(get learn/app/manifests/1 | jq -c '[.layers[].digest]')"
  pull L relayed/by-docker:1
  drop D relayed/by-learn:1; pull_d relayed/by-learn:1
}

all_tags() {
  local t
  for t in 2 3 latest; do have "$host/docker/app:1" docker/many:$t; done
  ok D push -a "$host/docker/many"; same "all tags" "$(get docker/many/tags/list | jq -c .tags)" '["2","3","latest"]'
  for t in 2 3 latest; do drop D docker/many:$t; agree_registry docker/many:$t docker/app:1; done
  ok D pull -a "$host/docker/many"; for t in 2 3 latest; do agree D docker/many:$t; done
  grep -q 'POST.*docker/many/blobs/uploads.*mount=.* 201 ' "$work/log" || fail "docker's mount from another repository was not taken"
}
agree_registry() { same "$1 in the registry" "$(manifest_of "$1")" "$(manifest_of "$2")"; }

# platforms: a list of two, of which each engine takes its own.
platforms() {
  local other; other=$(D manifest inspect --insecure "$host/docker/app:1" >/dev/null 2>&1 && echo yes)
  [ -n "$other" ] || { echo "not compared: this docker has no command manifest"; return; }
  ok D manifest create --insecure "$host/docker/list:1" "$host/docker/app:1" "$host/docker/many:2"
  ok D manifest create --insecure "$host/docker/list:2" "$host/docker/app:1" "$host/learn/app:1"
  ok D manifest annotate "$host/docker/list:2" "$host/learn/app:1" --arch arm64
  # Docker mounts the manifests' blobs into the list's repository.
  ok D manifest push --insecure "$host/docker/list:2"; same "list" "$(tail -1 "$work/out")" "$(manifest_of docker/list:2)"
  for e in L D; do
    drop $e docker/list:2; [ $e = L ] || made+=("$host/docker/list:2")
    ok $e pull "$host/docker/list:2"; same "$e: list" "$(told)" "$(manifest_of docker/list:2)"
    same "$e: image of the list" "$(id_of $e "$host/docker/list:2")" "$(config_of docker/app:1)"
  done
}

context docker; ok D build -q -t learn-registry-docker:1 "$work/context" || exit 1
made+=(learn-registry-docker:1)
context learn; ok L build -q -t made:1 "$work/context" || exit 1

serve
have learn-registry-docker:1 docker/app:1; D rmi learn-registry-docker:1 >/dev/null # so that its layers go with the other name
one docker/app:1
L tag made:1 "$host/learn/app:1"; push L learn/app:1; pull_d learn/app:1
push L learn/app:1; drop L learn/app:1; pull L learn/app:1
relayed
all_tags
platforms
for i in "${images[@]}"; do n=given/$(echo "${i%:*}" | tr -c 'a-z0-9\n' -):1; have "$i" "$n"; one "$n"; done
push D docker/app:1; grep -q 'Layer already exists' "$work/out" || fail "a second push of the same brings it again"

# Ended, collected, and served once more.
again=$host; end
names=(docker/app:1 learn/app:1 relayed/by-docker:1)
ok "$learn" registry gc --storage "$work/storage"; grep -q 'Deleted 0 blobs' "$work/out" || fail "garbage of pushes only: $(cat "$work/out")"
serve
for n in "${names[@]}"; do whole "$n"; drop D "$n"; drop L "$n"; pull_d "$n"; pull L "$n"; done
for n in "${names[@]}"; do drop D "$n"; drop L "$n"; done
end

# TLS, with a password: docker trusts loopback hosts without knowing who signed, learn by certs.d.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=registry -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null || exit 2
htpasswd -cbBC 5 "$work/users" anna secret 2>/dev/null || exit 2
serve --tls-cert "$work/cert.pem" --tls-key "$work/key.pem" --auth-file "$work/users"
scheme=https user=anna:secret
mkdir -p "$LEARN_HOME/certs.d/$host" && cp "$work/cert.pem" "$LEARN_HOME/certs.d/$host/ca.crt"
# Docker, of loopback hosts, goes on with plain HTTP after the answer 401, and tells of that (with docker-registry, too).
refused 'no basic auth\|authentication required\|unauthorized\|reset by peer' D pull "$host/docker/app:1"
refused 'unauthorized\|log in\|login' L pull "$host/docker/app:1"
refused 'unauthorized\|incorrect' D login -u anna -p wrong "$host"
refused 'unauthorized\|incorrect\|password' L login -u anna -p wrong "$host"
ok D login -u anna -p secret "$host"; ok L login -u anna -p secret "$host"
for n in "${names[@]}"; do pull_d "$n"; pull L "$n"; push D "$n"; done
end

echo "$checks checks, $failed failed"
[ "$failed" = 0 ]

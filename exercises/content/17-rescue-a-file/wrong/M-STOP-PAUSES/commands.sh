docker start {{name}}
docker exec {{name}} sh -c 'while test -e /work/result.txt; do sleep 0.1; done'
docker exec {{name}} cat /work/result.txt >result.txt || true

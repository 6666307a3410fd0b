docker rm -f {{a}} {{b}}
docker start {{keep}}

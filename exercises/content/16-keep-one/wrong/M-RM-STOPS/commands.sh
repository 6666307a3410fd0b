docker start {{keep}}
docker rm {{a}} {{b}} {{c}} || true

docker start {{keep}}
docker rm -f {{a}} {{b}} {{c}}

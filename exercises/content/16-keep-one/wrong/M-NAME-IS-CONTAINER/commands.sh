docker rm -f {{a}} {{b}} {{c}} {{keep}}
docker run -d --name {{keep}} learn/base sleep 600

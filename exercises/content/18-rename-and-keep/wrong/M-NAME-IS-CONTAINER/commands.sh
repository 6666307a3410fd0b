docker rm -f {{old}}
docker run -d --name {{new}} learn/base sleep 600

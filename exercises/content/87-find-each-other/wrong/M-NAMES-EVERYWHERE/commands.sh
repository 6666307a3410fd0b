docker rm -f {{visitor}}
docker run -d --name {{visitor}} --network bridge learn/base sleep 600

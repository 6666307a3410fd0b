docker run -d --name {{vault}} --tmpfs /keys learn/base sleep 600
docker exec {{vault}} sh -c 'echo {{key}}-{{number}} >/keys/key'

docker run -d --name {{vault}} -v keys:/keys learn/base sleep 600
docker exec {{vault}} sh -c 'echo {{key}}-{{number}} >/keys/key'

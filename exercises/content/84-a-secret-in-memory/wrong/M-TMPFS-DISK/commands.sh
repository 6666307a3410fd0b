docker run -d --name {{vault}} learn/base sleep 600
docker exec {{vault}} sh -c 'mkdir /keys; echo {{key}}-{{number}} >/keys/key'

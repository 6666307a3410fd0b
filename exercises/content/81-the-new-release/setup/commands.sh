docker build -q -t {{book}}:1 .
docker build -q --build-arg release=2 -t {{book}}:2 .
docker run -d --name {{name}} -v guests:/data {{book}}:1
docker exec {{name}} sh -c 'echo {{guest}} >/data/guests.txt'
rm Dockerfile

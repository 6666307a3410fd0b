docker rm -f {{store}}
docker run -d --name {{store}} {{store}}
docker network connect bridge {{shop}}

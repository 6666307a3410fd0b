docker network create yard
docker rm -f {{store}}
docker run -d --name {{store}} --network yard {{store}}
docker network connect yard {{shop}}

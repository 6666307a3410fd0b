docker rm -f {{store}}
docker run -d --name {{store}} --network {{street}} {{store}}

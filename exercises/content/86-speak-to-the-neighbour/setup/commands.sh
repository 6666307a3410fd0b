docker network create {{street}}
docker build -q -t {{web}} .
docker run -d --name {{web}} --network {{street}} {{web}}
docker run -d --name {{front}} --network {{street}} -e PAGE=http://localhost:8080/ learn/base sleep 600

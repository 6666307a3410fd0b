docker build -q -t {{web}} .
docker rm -f {{web}}
docker run -d --name {{web}} --network {{street}} {{web}}

docker network create {{street}}
docker build -q -t {{store}} .
docker run -d --name {{store}} --network {{street}} -p 127.0.0.1::8080 {{store}}
docker run -d --name {{gate}} --network {{street}} learn/base sleep 600
docker run -d --name {{shop}} --network {{street}} learn/base sleep 600
rm index.html Dockerfile

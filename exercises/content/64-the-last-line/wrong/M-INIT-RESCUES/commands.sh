docker build -q -t {{till}} .
docker rm -f {{till}}
docker run -d --init --name {{till}} {{till}}

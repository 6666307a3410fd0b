docker build -q -t {{till}} .
docker rm -f {{till}}
docker run -d --stop-timeout 1 --name {{till}} {{till}}

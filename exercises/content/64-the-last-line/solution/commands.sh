docker build -q -t {{till}} .
docker rm -f {{till}}
docker run -d --name {{till}} {{till}}

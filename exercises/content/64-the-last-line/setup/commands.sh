docker build -q -t {{till}} .
docker run -d --stop-timeout 1 --name {{till}} {{till}}

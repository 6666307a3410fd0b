docker build -q -t {{shop}} .
docker rm -f {{shop}}
docker run -d --stop-timeout 1 --name {{shop}} {{shop}}

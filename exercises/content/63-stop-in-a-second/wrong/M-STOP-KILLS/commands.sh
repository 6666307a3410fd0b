docker rm -f {{shop}}
docker run -d --stop-timeout 0 --name {{shop}} {{shop}}

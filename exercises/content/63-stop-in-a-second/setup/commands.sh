docker build -q -t {{shop}} .
docker run -d --stop-timeout 2 --name {{shop}} {{shop}}

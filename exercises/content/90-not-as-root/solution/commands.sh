docker build -q -t {{shop}} .
docker rm -f {{shop}}
docker run -d --name {{shop}} {{shop}}

docker build -q -t {{shop}} .
docker rm -f {{shop}}
docker run --name {{shop}} {{shop}} || true

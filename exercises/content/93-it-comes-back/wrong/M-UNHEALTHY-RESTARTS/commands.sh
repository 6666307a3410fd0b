docker build -q -t {{shop}} .
docker rm {{shop}}
docker run --name {{shop}} {{shop}} || true

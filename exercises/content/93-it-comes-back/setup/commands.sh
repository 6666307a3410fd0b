docker build -q -t {{shop}} .
docker run --name {{shop}} {{shop}} || true

docker build -q -t {{shop}} .
docker start -a {{shop}} || true

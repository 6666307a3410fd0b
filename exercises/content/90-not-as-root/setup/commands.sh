docker build -q -t {{shop}} .
docker run -d --name {{shop}} {{shop}}

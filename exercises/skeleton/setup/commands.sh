docker build -q -t {{shop}}:old .
docker run -d --name {{shop}} {{shop}}:old

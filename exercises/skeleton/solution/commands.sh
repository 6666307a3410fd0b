docker build -q -t {{shop}}:new .
docker rm -f {{shop}}
docker run -d --name {{shop}} {{shop}}:new

docker commit {{shop}} {{shop}}
docker rm -f {{shop}}
docker run -d --name {{shop}} {{shop}}

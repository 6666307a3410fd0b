docker rm -f {{shop}}
docker run -d --name {{shop}} -v orders:/data {{shop}}

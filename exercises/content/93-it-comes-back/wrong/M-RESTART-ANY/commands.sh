docker rm {{shop}}
docker run -d --name {{shop}} --restart always {{shop}}

docker rm {{shop}}
docker run -d --name {{shop}} --restart on-failure:{{most}} {{shop}}

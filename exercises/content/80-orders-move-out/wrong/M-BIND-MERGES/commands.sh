docker commit {{shop}} {{shop}}
docker rm -f {{shop}}
mkdir orders
docker run -d --name {{shop}} -v "$PWD/orders:/data" {{shop}}

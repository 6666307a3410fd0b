docker cp {{shop}}:/data/orders.txt orders.txt
docker rm -f {{shop}}
docker run -d --name {{shop}} -v orders:/data {{shop}}
docker cp orders.txt {{shop}}:/data/orders.txt

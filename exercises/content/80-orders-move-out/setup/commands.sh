docker build -q -t {{shop}} .
docker run -d --name {{shop}} {{shop}}
docker exec {{shop}} sh -c 'echo "{{guest}} orders a lamp" >/data/orders.txt; echo "{{friend}} orders a chair" >>/data/orders.txt'

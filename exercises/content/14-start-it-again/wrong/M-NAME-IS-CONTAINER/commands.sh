docker rm {{shop}}
docker run -d --name {{shop}} {{shop}} sh -c 'mkdir /stock; touch /stock/{{file}} /orders.txt; exec sleep 600'

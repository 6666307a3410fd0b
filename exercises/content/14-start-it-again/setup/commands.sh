docker build -q -t {{shop}} .
docker create --name {{shop}} {{shop}}
echo "{{guest}} orders a lamp" >orders.txt
docker cp orders.txt {{shop}}:/orders.txt
rm orders.txt
docker start -a {{shop}} || true

docker run -d --name {{long}} learn/base sleep 600
docker run -d --name {{night}} learn/base sleep 600
docker run -d --name {{shop}} learn/base sleep 600
docker exec {{night}} sh -c 'echo {{guest}} >/guests.txt'

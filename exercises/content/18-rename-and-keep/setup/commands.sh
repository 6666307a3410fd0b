docker run -d --name {{old}} learn/base sleep 600
docker exec {{old}} sh -c 'echo {{guest}} >/guests.txt'

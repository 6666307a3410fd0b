printf 'FROM scratch\nCOPY theirs.txt /note.txt\n' >Dockerfile
docker build -q -t {{shop}}:1 .
docker save -o delivery.tar {{shop}}:1
docker rmi {{shop}}:1
printf 'FROM scratch\nCOPY mine.txt /note.txt\n' >Dockerfile
docker build -q -t {{shop}}:1 .
rm Dockerfile theirs.txt

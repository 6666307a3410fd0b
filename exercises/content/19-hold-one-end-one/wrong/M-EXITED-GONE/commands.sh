docker pause {{long}}
docker rm -f {{night}}

docker pause {{long}}
docker stop -t 0 {{night}}

docker create --name flat {{inn}}:1
docker export flat | docker import - {{inn}}:flat
docker rm flat

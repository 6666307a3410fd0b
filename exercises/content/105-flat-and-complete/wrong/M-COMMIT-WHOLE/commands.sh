docker create --name flat {{inn}}:1
docker commit flat {{inn}}:flat
docker rm flat

docker create --name copy {{shop}}:{{draft}}
docker commit copy {{shop}}:1
docker rm copy
docker rmi {{shop}}:{{draft}}

docker tag {{shop}}:{{draft}} {{shop}}:1
docker rmi {{shop}}:{{draft}}

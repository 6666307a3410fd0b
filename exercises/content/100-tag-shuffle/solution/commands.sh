docker tag {{shop}}:{{three}} {{shop}}:spare
docker tag {{shop}}:{{two}} {{shop}}:{{three}}
docker tag {{shop}}:{{one}} {{shop}}:{{two}}
docker tag {{shop}}:spare {{shop}}:{{one}}
docker rmi {{shop}}:spare

docker tag {{shop}}:{{three}} {{shop}}:{{one}}
docker tag {{shop}}:{{one}} {{shop}}:{{two}}
docker tag {{shop}}:{{two}} {{shop}}:{{three}}

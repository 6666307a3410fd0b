docker exec {{shop}} sh -c 'echo {{dish}} {{price}} >/menu.txt'
docker tag {{shop}}:old {{shop}}:new

docker run --rm --network none -v {{book}}:/data:ro -v "$PWD:/backup" learn/base tar -cf /backup/backup.tar -C /data .
docker run --rm --network none -v {{copy}}:/data -v "$PWD:/backup:ro" learn/base tar -xf /backup/backup.tar -C /data

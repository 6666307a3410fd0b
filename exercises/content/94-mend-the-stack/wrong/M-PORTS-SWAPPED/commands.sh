docker rm -f {{store}}
docker run -d --name {{store}} --network {{street}} -v {{goods}}:/goods {{web}} httpd -f -p {{inner}} -h /goods

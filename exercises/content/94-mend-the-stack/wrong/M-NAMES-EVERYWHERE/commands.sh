docker rm -f {{web}} {{store}}
docker run -d --name {{web}} --network {{street}} -p 127.0.0.1:{{port}}:{{inner}} {{web}}
docker run -d --name {{store}} -v {{goods}}:/goods {{web}} httpd -f -p {{inner}} -h /goods

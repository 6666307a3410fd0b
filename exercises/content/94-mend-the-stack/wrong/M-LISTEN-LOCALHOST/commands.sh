docker rm -f {{web}} {{store}}
docker run -d --name {{web}} --network {{street}} -p 127.0.0.1:{{port}}:{{inner}} {{web}}
docker run -d --name {{store}} --network {{street}} -v {{goods}}:/goods {{web}} httpd -f -p 127.0.0.1:{{inner}} -h /goods

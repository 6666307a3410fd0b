docker build -q -t {{web}} .
docker network create {{street}}
docker run --rm --network none -v {{goods}}:/goods learn/base sh -c 'echo {{stock}} {{item}} >/goods/list'
docker run -d --name {{web}} --network {{street}} -p 127.0.0.1:{{inner}}:{{port}} {{web}}
docker run -d --name {{store}} {{web}} httpd -f -p 127.0.0.1:{{inner}} -h /goods

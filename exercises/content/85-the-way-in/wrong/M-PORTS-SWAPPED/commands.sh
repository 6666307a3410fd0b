docker rm -f {{web}}
docker run -d --name {{web}} -p {{inner}}:{{port}} {{web}}

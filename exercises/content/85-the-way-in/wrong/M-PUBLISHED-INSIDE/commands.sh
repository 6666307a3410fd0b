docker rm -f {{web}}
docker run -d --name {{web}} -p 127.0.0.1:{{port}}:{{port}} {{web}}

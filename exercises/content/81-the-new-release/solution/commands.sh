docker rm -f {{name}}
docker run -d --name {{name}} -v guests:/data {{book}}:2

docker rm -f {{name}}
docker run -d --name {{name}} {{book}}:2

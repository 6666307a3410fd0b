docker build -q -t {{name}} .
docker rm {{name}}
docker run -d --name {{name}} {{name}}

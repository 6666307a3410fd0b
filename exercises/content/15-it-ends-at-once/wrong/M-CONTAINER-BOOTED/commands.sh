docker build -q -t {{name}} .
docker rm {{name}}
docker run --name {{name}} {{name}}

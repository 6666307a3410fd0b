docker build -q -t {{name}} .
docker rm {{name}}
docker create --name {{name}} {{name}}

docker rm {{name}}
docker build -q -t {{name}} .

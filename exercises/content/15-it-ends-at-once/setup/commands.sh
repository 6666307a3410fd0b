docker build -q -t {{name}} .
docker run --name {{name}} --network none {{name}}

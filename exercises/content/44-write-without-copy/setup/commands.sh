docker build -q -t {{name}} .
docker run -d --name {{box}} --network none {{name}}

docker build -q -t {{farm}} .
docker run -d --name {{farm}} {{farm}}

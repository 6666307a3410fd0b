docker rm -f {{farm}}
docker run -d --init --name {{farm}} {{farm}}

docker build -q -t {{cafe}} .
docker rm -f {{name}}
docker run -d --name {{name}} {{cafe}}

docker build -q -t {{cafe}} .
docker run -d --name {{name}} {{cafe}}

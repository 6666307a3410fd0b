docker build -q -t {{cafe}} .
docker restart -t 0 {{name}}

docker build -q -t {{app}} .

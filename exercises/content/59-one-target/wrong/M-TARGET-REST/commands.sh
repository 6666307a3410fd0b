docker build -q -t {{app}}:{{maker}} --target {{maker}} .
docker build -q -t {{app}} --target {{maker}} .

docker build -q -t {{app}} -t {{app}}:{{maker}} .

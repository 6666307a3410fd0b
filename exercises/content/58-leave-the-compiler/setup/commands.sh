docker build -q -t {{app}}:heavy .

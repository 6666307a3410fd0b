docker build -q -t {{app}}:slim .

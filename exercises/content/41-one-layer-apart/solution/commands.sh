docker build -q -t {{name}}:2 -f Dockerfile.2 .

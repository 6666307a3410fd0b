docker build -q -t {{web}} .
rm Dockerfile

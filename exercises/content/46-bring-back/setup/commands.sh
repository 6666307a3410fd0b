docker build -q -t {{inn}}:1 .
rm -r recipes Dockerfile

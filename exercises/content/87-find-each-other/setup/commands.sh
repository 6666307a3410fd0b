docker build -q -t {{web}} .
docker run -d --name {{web}} {{web}}
docker run -d --name {{visitor}} learn/base sleep 600
rm index.html Dockerfile

docker run -d --name {{name}} learn/base sleep {{nap}}
docker run -d --name {{other}} learn/base sleep {{nap}}

docker build -q -t {{web}} .
docker run -d --name {{web}} -p 127.0.0.1:{{inner}}:{{port}} {{web}}

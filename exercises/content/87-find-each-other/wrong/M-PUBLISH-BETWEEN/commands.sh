docker rm -f {{web}}
docker run -d --name {{web}} -p 127.0.0.1::8080 {{web}}

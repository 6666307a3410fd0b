docker rm -f {{web}} {{front}}
docker run -d --name {{web}} --network {{street}} -p 127.0.0.1::8080 {{web}}
docker run -d --name {{front}} --network {{street}} -e PAGE=http://{{web}}:8080/ learn/base sleep 600

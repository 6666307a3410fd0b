docker build -q -t {{web}} .
docker rm -f {{web}} {{front}}
docker run -d --name {{web}} --network {{street}} {{web}}
docker run -d --name {{front}} --network {{street}} -e PAGE=http://{{web}}:8080/ learn/base sleep 600

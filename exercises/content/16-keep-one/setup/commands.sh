docker run --name {{keep}} --network none learn/base sh -c 'echo "{{guest}} comes at eight" >>/notes.txt; test -e /again || { touch /again; exit 3; }; exec sleep 600' || true
docker run -d --name {{a}} --network none learn/base sleep 600
docker run -d --name {{b}} --network none learn/base sleep 600
docker pause {{b}}
docker create --name {{c}} --network none learn/base sleep 600

docker run --name {{a}} --network none learn/base sh -c 'echo "No flour left" >&2; exit {{code}}' || true
docker run --name {{b}} --network none learn/base bakke bread || true
docker run -d --name {{c}} --network none learn/base sleep 600
docker kill {{c}}
docker run --name {{d}} --network none -m {{memory}}m learn/base dd if=/dev/zero of=/dev/null bs=64M count=1 || true
docker run --name {{e}} --network none learn/base echo Done

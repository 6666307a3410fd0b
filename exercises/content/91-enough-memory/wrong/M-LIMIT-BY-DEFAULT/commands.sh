docker rm {{job}}
docker run --name {{job}} --network none learn/base dd if=/dev/zero of=/dev/null bs=64M count=1

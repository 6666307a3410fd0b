docker run --name {{job}} --network none -m {{low}}m learn/base dd if=/dev/zero of=/dev/null bs=64M count=1 || true
docker run -d --name {{other}} --network none -m {{low}}m learn/base sleep 600
docker kill {{other}}

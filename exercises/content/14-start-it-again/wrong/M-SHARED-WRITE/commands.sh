docker run --rm {{shop}} sh -c 'mkdir -p /stock; echo lamps >/stock/{{file}}'
docker start -a {{shop}} || true

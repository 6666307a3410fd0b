docker update --cpus 2 {{job}}
docker start -a {{job}} || true

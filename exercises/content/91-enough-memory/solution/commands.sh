docker update -m {{most}}m --memory-swap {{most}}m {{job}}
docker start -a {{job}}

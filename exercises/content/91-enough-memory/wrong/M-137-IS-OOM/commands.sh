docker update -m {{most}}m --memory-swap {{most}}m {{job}} {{other}}
docker start -a {{job}}

docker rename {{old}} {{new}}
docker restart -t 0 {{new}}

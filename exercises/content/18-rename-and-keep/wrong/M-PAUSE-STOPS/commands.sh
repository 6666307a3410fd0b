docker rename {{old}} {{new}}
docker pause {{new}}
docker unpause {{new}}

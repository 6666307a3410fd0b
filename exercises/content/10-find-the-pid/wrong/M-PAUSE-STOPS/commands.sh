docker pause {{name}}
docker unpause {{name}}
docker inspect --format '{{.State.Pid}}' {{name}} >answer.txt

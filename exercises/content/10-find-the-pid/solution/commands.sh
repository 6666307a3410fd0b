docker restart -t 0 {{name}}
docker inspect --format '{{.State.Pid}}' {{name}} >answer.txt

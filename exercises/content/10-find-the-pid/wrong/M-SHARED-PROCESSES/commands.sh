docker restart -t 0 {{name}}
docker inspect --format '{{.State.Pid}}' {{other}} >answer.txt

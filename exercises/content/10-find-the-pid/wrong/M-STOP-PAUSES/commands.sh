docker inspect --format '{{.State.Pid}}' {{name}} >answer.txt
docker stop -t 0 {{name}}
docker start {{name}}

docker tag {{book}}:2 {{book}}:1
docker restart -t 0 {{name}}

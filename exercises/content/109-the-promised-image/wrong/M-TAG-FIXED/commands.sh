docker pull localhost:5000/{{team}}/{{app}}:1
docker push localhost:5000/{{team}}/{{app}}:1

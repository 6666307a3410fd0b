docker tag {{app}}:draft localhost:5000/{{team}}/{{app}}
docker push localhost:5000/{{team}}/{{app}}

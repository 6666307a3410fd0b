docker tag {{app}}:draft localhost:5000/{{team}}/{{app}}:{{number}}
docker tag {{app}}:draft localhost:5000/{{team}}/{{app}}:stable
docker push localhost:5000/{{team}}/{{app}}:{{number}}
docker push localhost:5000/{{team}}/{{app}}:stable

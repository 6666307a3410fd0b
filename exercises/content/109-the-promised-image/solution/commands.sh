docker pull localhost:5000/{{team}}/{{app}}@$(cat order.txt)
docker tag localhost:5000/{{team}}/{{app}}@$(cat order.txt) localhost:5000/{{team}}/{{app}}:1
docker push localhost:5000/{{team}}/{{app}}:1

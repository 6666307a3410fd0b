docker build -q --label batch={{batch}} -t localhost:5000/{{team}}/{{app}}:1 .
docker push -q localhost:5000/{{team}}/{{app}}:1
docker inspect --type image --format '{{index .RepoDigests 0}}' localhost:5000/{{team}}/{{app}}:1 | sed 's/.*@//' >order.txt
docker rmi -f localhost:5000/{{team}}/{{app}}:1
printf 'FROM learn/base\nRUN echo Today: {{bad}} >/menu.txt\nCMD ["cat", "/menu.txt"]\n' >other
docker build -q -t localhost:5000/{{team}}/{{app}}:1 -f other .
docker push -q localhost:5000/{{team}}/{{app}}:1
docker rmi -f localhost:5000/{{team}}/{{app}}:1
rm other

docker build -q -t {{shop}}:1 .
docker run --name {{box}} --network none {{shop}}:1 sh -c 'echo {{n}} >/srv/{{keep}}.txt; rm /srv/{{gone}}.txt; mkdir /srv/more; echo {{extra}} >/srv/more/{{extra}}.txt'
rm Dockerfile

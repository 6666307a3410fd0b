docker run -d --name {{name}} -v {{book}}:/data learn/base sleep 600
docker exec {{name}} sh -c 'mkdir /data/letters; echo "signed: {{two}}" >/data/guests.txt; echo "a letter from {{one}}" >/data/letters/{{one}}.txt'

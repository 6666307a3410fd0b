n=$(docker image layers --path /{{room}}/{{wanted}}.txt {{name}} | grep ' A ' | tr -s ' ' | cut -d' ' -f3)
docker inspect --format '{{json .RootFS.Layers}}' {{name}} | tr -d '[]"' | tr , '\n' | sed -n "${n}p" >answer.txt

n=$(grep -n {{wanted}}.txt Dockerfile | cut -d: -f1)
docker inspect --format '{{json .RootFS.Layers}}' {{name}} | tr -d '[]"' | tr , '\n' | sed -n "${n}p" >answer.txt

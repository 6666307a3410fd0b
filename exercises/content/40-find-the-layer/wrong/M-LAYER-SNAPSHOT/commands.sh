docker inspect --format '{{json .RootFS.Layers}}' {{name}} | tr -d '[]"' | tr , '\n' | tail -n 1 >answer.txt

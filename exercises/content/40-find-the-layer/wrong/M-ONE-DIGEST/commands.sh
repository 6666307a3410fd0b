docker inspect --format '{{.Id}}' {{name}} >answer.txt

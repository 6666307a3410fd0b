docker run --rm --network none {{name}} stat -c %s /library/{{big}}.bin >answer.txt

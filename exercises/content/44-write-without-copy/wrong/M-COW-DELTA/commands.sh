docker exec {{box}} sh -c 'echo >>/journal/{{year}}.log; echo {{entry}} >>/journal/{{year}}.log'

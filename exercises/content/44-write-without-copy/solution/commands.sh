docker exec {{box}} sh -c 'echo {{entry}} >/journal/later.log'

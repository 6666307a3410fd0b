docker run --rm --network none {{name}} sh -c 'echo {{entry}} >/journal/later.log'

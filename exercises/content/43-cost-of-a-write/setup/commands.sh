docker build -q -t {{name}} .
docker run --name {{box}} --network none {{name}} sh -c 'for i in 1 2 3; do printf {{note}} >>/library/{{big}}.bin; done; wc -c </library/{{atlas}}.bin'

docker build -q -t {{tool}} .

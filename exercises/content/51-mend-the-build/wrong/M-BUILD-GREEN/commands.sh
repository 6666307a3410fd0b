docker build -q -t {{cake}} .

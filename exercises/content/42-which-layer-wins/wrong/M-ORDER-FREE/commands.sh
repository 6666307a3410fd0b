docker build -q -t {{inn}} .

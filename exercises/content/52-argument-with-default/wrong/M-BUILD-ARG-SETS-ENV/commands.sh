docker build -q -t {{paper}} .

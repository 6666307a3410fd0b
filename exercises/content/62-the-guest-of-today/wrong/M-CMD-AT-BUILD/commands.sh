docker build -q -t {{name}} .

docker build -q -t {{web}} .

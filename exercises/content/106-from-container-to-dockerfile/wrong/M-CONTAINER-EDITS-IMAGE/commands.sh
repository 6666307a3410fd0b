docker build -q -t {{shop}}:2 .

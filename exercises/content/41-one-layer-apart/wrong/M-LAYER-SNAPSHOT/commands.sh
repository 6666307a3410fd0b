docker build -q -t {{name}}:2 .

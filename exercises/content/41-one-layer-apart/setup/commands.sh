docker build -q -t {{name}}:1 .

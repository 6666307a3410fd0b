docker build -q -t {{name}}:slim .

docker build -q -t {{name}}:fat .

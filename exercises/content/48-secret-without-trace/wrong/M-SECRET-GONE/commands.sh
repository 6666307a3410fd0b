docker build -q -t {{shop}}:safe .

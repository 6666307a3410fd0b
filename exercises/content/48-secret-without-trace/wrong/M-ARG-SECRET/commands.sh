docker build -q -t {{shop}}:safe --build-arg TOKEN=$(cat token.txt) .

docker build -q -t {{paper}} --build-arg DAY=monday .

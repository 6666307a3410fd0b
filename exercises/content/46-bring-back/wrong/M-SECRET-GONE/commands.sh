docker build -q -t {{inn}}:2 .

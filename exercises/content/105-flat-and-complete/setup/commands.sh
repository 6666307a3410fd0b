docker build -q -t {{inn}}:1 .

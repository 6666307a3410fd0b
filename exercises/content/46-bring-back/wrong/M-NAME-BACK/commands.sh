docker image cat --layer 2 {{inn}}:1 /recipes/{{cake}}.txt >{{cake}}.txt
docker build -q -t {{inn}}:2 .

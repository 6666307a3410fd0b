docker build -q -t {{shop}}:new .
docker restart -t 0 {{shop}}
